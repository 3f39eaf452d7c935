@transformer
def transform(item, *args, **kwargs):
    """Runs once for each item."""
    return {'harbour': item['harbour'], 'cranes': item['berths'] * 2}
