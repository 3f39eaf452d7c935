@transformer
def transform(calls, *args, **kwargs):
    """A block in a folder of its own below transformers/."""
    return calls[calls['containers'] > 0]
