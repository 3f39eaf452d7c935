@transformer
def transform(data, *args, **kwargs):
    raise RuntimeError('the condition is false, so this never runs')
