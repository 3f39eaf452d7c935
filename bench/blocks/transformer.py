import time


@transformer
def transform(table, *args, **kwargs):
    """All rows and columns, two of them changed."""
    began = time.perf_counter()
    changed = table.assign(number_0=table["number_0"] * 2, word=table["word"].str.upper())
    print(f"own work took {time.perf_counter() - began:.6f} s")
    return changed
