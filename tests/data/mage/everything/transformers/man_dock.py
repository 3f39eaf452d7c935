@transformer
def transform(item, *args, **kwargs):
    """Runs once for each item."""
    print(f"dock {item['dock']}")
    return {'dock': item['dock'], 'hands': item['cranes'] * 4}
