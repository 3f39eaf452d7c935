@data_exporter
def export_data(total, *args, **kwargs):
    raise RuntimeError('the condition is false, so this never runs')
