import os

import pandas as pd

from everything.utils.tables import tidy
from mage_ai.data_preparation.shared.secrets import get_secret_value

if 'data_loader' not in globals():
    from mage_ai.data_preparation.decorators import data_loader
if 'test' not in globals():
    from mage_ai.data_preparation.decorators import test


@data_loader
def load_data(rung, *args, **kwargs):
    """Succeeds at its second attempt. A module, a file and a secret of the project."""
    attempt = kwargs['retry']['attempts']
    if attempt < 2:
        raise ConnectionError(f'attempt {attempt} fails on purpose')
    assert rung == [], rung
    assert get_secret_value('harbour_key') == 'a key of the harbour'
    calls = tidy(pd.read_csv(os.path.join(kwargs['repo_path'], 'data', 'calls.csv')))
    print(f'{len(calls)} calls at attempt {attempt}')
    return calls[calls['containers'] >= kwargs['min_containers']]


@test
def test_output(output, *args) -> None:
    assert output is not None, 'The output is undefined'


@test
def test_busy(output, **kwargs) -> None:
    assert (output['containers'] >= kwargs['min_containers']).all()
