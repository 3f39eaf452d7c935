@data_exporter
def sum_up(busy, *args, **kwargs):
    """One row a ship."""
    totals = busy.groupby("ship", as_index=False).agg(
        calls=("day", "count"), containers=("containers", "sum"), per_hour=("per_hour", "mean")
    )
    print(totals.to_string(index=False))
    return totals
