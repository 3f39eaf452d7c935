import os

if 'sensor' not in globals():
    from mage_ai.data_preparation.decorators import sensor


@sensor
def check_condition(*args, **kwargs) -> bool:
    return os.path.exists(os.path.join(kwargs['repo_path'], 'data', 'calls.csv'))
