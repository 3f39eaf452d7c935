import os


@data_loader
def load_data(*args, **kwargs):
    with open(os.path.join(kwargs["repo_path"], "people.csv")) as file:
        return [line.strip() for line in file][1:]
