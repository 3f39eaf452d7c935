import os

if 'sensor' not in globals():
    from mage_ai.data_preparation.decorators import sensor


@sensor
def check_condition(*args, **kwargs) -> bool:
    """The caller says which file is the bell, and makes it when he likes."""
    return os.path.exists(kwargs['bell'])
