if 'custom' not in globals():
    from mage_ai.data_preparation.decorators import custom


@custom
def transform_custom(busy, *args, **kwargs):
    """Uses the block's own configuration, and the time of the run."""
    unit = kwargs['configuration'].get('unit_hours', 1)
    kwargs['logger'].info(f"rates of {kwargs['ds']} for each {unit} h, harbour {kwargs['harbour']}")
    busy['rate'] = busy['containers'] / busy['hours'] * unit
    return busy
