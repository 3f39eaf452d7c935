@data_exporter
def export_data(total, *args, **kwargs):
    print(f"{total['containers']} {total['unit']}")
