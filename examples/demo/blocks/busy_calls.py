@transformer
def busy_calls(calls, *args, **kwargs):
    """Calls with at least `min_containers` moved, and how many an hour."""
    least = kwargs.get("min_containers", 100)
    busy = calls[calls["containers"] >= least].copy()
    busy["per_hour"] = busy["containers"] / busy["hours"]
    kwargs["logger"].info(f"{len(busy)} of {len(calls)} calls moved {least} containers or more")
    return busy


@test
def test_output(output, *args) -> None:
    assert (output["per_hour"] > 0).all(), "every busy call moves containers"
