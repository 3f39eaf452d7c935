@data_loader
def load_data(*args, **kwargs):
    """Succeeds at its third attempt; the block allows two retries."""
    attempt = kwargs['retry']['attempts']
    if attempt < 3:
        raise ConnectionError(f'attempt {attempt} fails on purpose')
    return attempt
