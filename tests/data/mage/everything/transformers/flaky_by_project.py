@transformer
def transform(data, *args, **kwargs):
    """Succeeds at its second attempt; the project's metadata.yaml allows one retry."""
    attempt = kwargs['retry']['attempts']
    if attempt < 2:
        raise ConnectionError(f'attempt {attempt} fails on purpose')
    return attempt
