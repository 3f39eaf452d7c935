import time


@data_exporter
def export_data(table, *args, **kwargs):
    """Reads everything, gives a few numbers."""
    began = time.perf_counter()
    sums = table.groupby("word")["number_0"].sum().to_dict()
    assert len(table) == 100_000 and len(table.columns) == 12
    print(f"own work took {time.perf_counter() - began:.6f} s")
    return sums
