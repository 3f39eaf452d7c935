@custom
def transform_custom(*args, **kwargs):
    raise ValueError('jammed on purpose')
