import time


@data_loader
def load_data(*args, **kwargs):
    """Takes longer than its timeout of one second."""
    time.sleep(120)
