if 'custom' not in globals():
    from mage_ai.data_preparation.decorators import custom


@custom
def transform_custom(prices, *args, **kwargs):
    assert [float(price) for price in prices['price']] == [60.0, 50.0], prices
