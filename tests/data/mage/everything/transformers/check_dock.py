@transformer
def transform(item, *args, **kwargs):
    """Runs once for each copy of its upstream block; `reduce_output` ends that."""
    return {'dock': item['dock'], 'hands': item['hands'] + 1}
