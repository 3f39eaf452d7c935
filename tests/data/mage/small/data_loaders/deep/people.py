import os

from mage_ai.data_preparation.shared.secrets import get_secret_value


@data_loader
def load_data(*args, **kwargs):
    with open(os.path.join(kwargs["repo_path"], "people.csv")) as file:
        return [line.strip() for line in file][1:]
