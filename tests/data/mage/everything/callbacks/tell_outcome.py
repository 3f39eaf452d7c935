if 'callback' not in globals():
    from mage_ai.data_preparation.decorators import callback


@callback('success')
def success_callback(parent_block_data, **kwargs):
    print(f"callback: {kwargs['parent_block_uuid']} succeeded with {parent_block_data}")


@callback('failure')
def failure_callback(parent_block_data, **kwargs):
    print(f"callback: {kwargs['parent_block_uuid']} failed: {kwargs['__error']}")
