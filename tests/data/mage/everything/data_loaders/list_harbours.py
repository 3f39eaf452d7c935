if 'data_loader' not in globals():
    from mage_ai.data_preparation.decorators import data_loader


@data_loader
def load_data(*args, **kwargs):
    """Items, and a name for the block run of each."""
    harbours = [{'harbour': 'Oslo', 'berths': 4}, {'harbour': 'Bergen', 'berths': 6}]
    return [harbours, [{'block_uuid': item['harbour'].lower()} for item in harbours]]
