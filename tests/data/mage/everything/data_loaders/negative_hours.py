if 'data_loader' not in globals():
    from mage_ai.data_preparation.decorators import data_loader
if 'test' not in globals():
    from mage_ai.data_preparation.decorators import test


@data_loader
def load_data(*args, **kwargs):
    return {'hours': -1}


@test
def test_output(output, *args) -> None:
    assert output is not None, 'The output is undefined'


@test
def test_hours(output, *args) -> None:
    assert output['hours'] > 0, 'hours are positive'
