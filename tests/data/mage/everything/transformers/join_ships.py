if 'transformer' not in globals():
    from mage_ai.data_preparation.decorators import transformer
if 'test' not in globals():
    from mage_ai.data_preparation.decorators import test


@transformer
def transform(calls, ships, *args, **kwargs):
    """Two upstream blocks, in the order of `upstream_blocks`; a variable of the pipeline."""
    busy = calls[calls['containers'] >= kwargs['min_containers']]
    return busy.merge(ships, on='ship', how='left')


@test
def test_output(output, *args) -> None:
    assert output['flag'].notna().all(), 'every ship has a flag'
