@data_loader
def load_data(*args, **kwargs):
    return [1, 2, 3]
