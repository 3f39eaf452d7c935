@data_exporter
def export_data(data, *args, **kwargs):
    raise RuntimeError('its upstream block never runs, and so does this')
