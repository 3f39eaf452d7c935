@transformer
def transform(data, *args, **kwargs):
    raise ValueError('broken on purpose')
