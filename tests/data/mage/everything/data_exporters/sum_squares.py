@data_exporter
def export_data(squares, *args, **kwargs):
    assert sum(squares) == 14, squares
