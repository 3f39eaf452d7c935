@transformer
def transform(item, *args, **kwargs):
    """Fans out again; `reduce_output` ends that."""
    return {'harbour': item['harbour'], 'cranes': item['cranes'] + 1}
