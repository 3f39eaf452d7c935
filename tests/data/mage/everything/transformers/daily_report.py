@transformer
def transform(data, *args, **kwargs):
    return 'the report of each day'
