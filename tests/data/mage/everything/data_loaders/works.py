@data_loader
def load_data(*args, **kwargs):
    return 'good data'
