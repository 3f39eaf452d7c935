@custom
def transform_custom(*args, **kwargs):
    """The name of the trigger, a variable that the trigger or the caller may set, the event."""
    name, event = kwargs['trigger_name'], kwargs['event']
    print(f"{name}: region {kwargs.get('region', 'none')}, event {event}")
    return {'trigger': name, 'region': kwargs.get('region')}
