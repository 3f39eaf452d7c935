@custom
def transform_custom(a_list, a_tuple, a_dict, nothing, text, nested, tables, *args, **kwargs):
    """What each kind of value has become on its way here."""
    assert a_list == [1, 2, 3], a_list
    assert a_tuple == ['a', 2], a_tuple
    assert a_dict == {'harbour': 'Oslo', 'berths': 4}, a_dict
    assert nothing == [], nothing
    assert text == 'text', text
    assert nested == [1, 2, 3], nested
    assert [list(table.columns) for table in tables] == [['a'], ['b']], tables
    return 'all as promised'
