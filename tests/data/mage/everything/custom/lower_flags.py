@custom
def transform_custom(flags, *args, **kwargs):
    raise RuntimeError('its upstream block never runs, and so does this')
