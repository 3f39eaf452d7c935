"""What a browser sees: the start page, the playground and their assets."""
