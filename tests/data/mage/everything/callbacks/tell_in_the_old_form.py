if 'on_success' not in globals():
    from mage_ai.data_preparation.decorators import on_success
if 'on_failure' not in globals():
    from mage_ai.data_preparation.decorators import on_failure


@on_success
def success_callback(**kwargs):
    print(f"old form: {kwargs['parent_block_uuid']} succeeded")


@on_failure
def failure_callback(**kwargs):
    print(f"old form: {kwargs['parent_block_uuid']} failed")
