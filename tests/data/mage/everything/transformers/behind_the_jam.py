@transformer
def transform(data, *args, **kwargs):
    raise RuntimeError('its upstream block has failed, so this never runs')
