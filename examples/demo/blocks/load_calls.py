import pandas as pd


@data_loader
def load_calls(*args, **kwargs):
    """Calls at the harbour: ship, hours at the quay, containers moved."""
    rows = []
    for day in range(1, 31):
        for number, ship in enumerate(["Aurora", "Bering", "Calypso", "Dorado"]):
            rows.append(
                {
                    "ship": ship,
                    "day": day,
                    "hours": 4 + (day * (number + 3)) % 9,
                    "containers": 40 + (day * 17 + number * 29) % 160,
                }
            )
    calls = pd.DataFrame(rows)
    print(f"loaded {len(calls)} calls for {kwargs['ds']}, env {kwargs['env']}")
    return calls


@test
def test_output(output, *args) -> None:
    assert len(output) == 120, "thirty days of four ships"
