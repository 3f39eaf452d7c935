@custom
def transform_custom(docks, ships, *args, **kwargs):
    """All docks as one list, a table, and variables of three levels."""
    kwargs['logger'].info(f"summed up at {kwargs['harbour']}")
    return {
        'hands': sum(dock['hands'] for dock in docks),
        'containers': int(ships['containers'].sum()),
        'unit': kwargs['configuration']['unit'],
        'harbour': kwargs['harbour'],
        'shift': kwargs['shift'],
        'crew': kwargs['crew'],
        'reason': kwargs['event'].get('reason'),
        'trigger': kwargs['trigger_name'],
    }
