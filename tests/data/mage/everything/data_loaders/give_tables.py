import pandas as pd


@data_loader
def load_data(*args, **kwargs):
    return [pd.DataFrame({'a': [1, 2]}), pd.DataFrame({'b': ['x']})]
