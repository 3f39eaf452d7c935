import time


@data_loader
def load_data(*args, **kwargs):
    time.sleep(120)
