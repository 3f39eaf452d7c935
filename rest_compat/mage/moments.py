"""The graph's moments (`2026-11-21T23:17:33.000000Z`) in the four ways that Mage writes them."""


def row_time(moment: str | None) -> str | None:
    """`2026-11-21 23:17:33[.ffffff]`: UTC without saying so."""
    return None if moment is None else iso_time(moment).replace("T", " ")


def iso_time(moment: str) -> str:
    """`2026-11-21T23:17:33[.ffffff]`: UTC without saying so."""
    return moment.removesuffix("Z").removesuffix(".000000")


def zoned_time(moment: str | None) -> str | None:
    """`2026-11-21 23:17:33[.ffffff]+00:00`."""
    return None if moment is None else f"{row_time(moment)}+00:00"


def full_time(moment: str, separator: str) -> str:
    """With all six digits and the zone, date and time separated as said."""
    return moment.removesuffix("Z").replace("T", separator) + "+00:00"
