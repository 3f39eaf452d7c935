@transformer
def transform(number, *args, **kwargs):
    return number * number
