@data_loader
def load_data(*args, **kwargs):
    """Items, and a name for the block run of each."""
    return [[{'dock': 1, 'cranes': 2}, {'dock': 2, 'cranes': 3}],
            [{'block_uuid': 'north'}, {'block_uuid': 'south'}]]
