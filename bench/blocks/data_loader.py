import time

import numpy as np
import pandas as pd


@data_loader
def load_data(*args, **kwargs):
    """100,000 rows of 12 columns: numbers, words, times."""
    began = time.perf_counter()
    rows = 100_000
    numbers = np.random.default_rng(7)
    table = pd.DataFrame({f"number_{i}": numbers.random(rows) for i in range(6)})
    for i in range(3):
        table[f"count_{i}"] = numbers.integers(0, 1000, rows)
    table["word"] = np.array(["oslo", "bergen", "moss", "narvik"])[numbers.integers(0, 4, rows)]
    table["code"] = ("c" + pd.Series(numbers.integers(0, 5000, rows)).astype(str)).to_numpy()
    table["at"] = pd.Timestamp("2026-01-01") + pd.to_timedelta(np.arange(rows), unit="s")
    print(f"own work took {time.perf_counter() - began:.6f} s")
    return table
