import os

import pandas as pd

from everything.utils.tables import tidy
from mage_ai.settings.repo import get_repo_path

if 'data_loader' not in globals():
    from mage_ai.data_preparation.decorators import data_loader
if 'test' not in globals():
    from mage_ai.data_preparation.decorators import test


@data_loader
def load_data(*args, **kwargs):
    """Calls at the harbour, from a file of the project."""
    calls = pd.read_csv(os.path.join(get_repo_path(), 'data', 'calls.csv'))
    print(f'{len(calls)} lines in the file')
    return tidy(calls)


@test
def test_output(output, *args) -> None:
    assert output is not None, 'The output is undefined'


@test
def test_names(output, **kwargs) -> None:
    assert list(output.columns) == ['ship', 'day', 'hours', 'containers']
    assert kwargs['block_uuid'] == 'load_calls'
