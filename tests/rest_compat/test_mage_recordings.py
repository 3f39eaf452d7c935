"""That every recording is replayed, and how many of them are answered otherwise."""

import re

from tests.house.places import documents
from tests.rest_compat.deviations import KEY_ALONE_DEVIATIONS, SIGNED_IN_DEVIATIONS
from tests.rest_compat.replay import KEY_ALONE, RECORDINGS, SIGNED_IN

DIFFERENT = {**KEY_ALONE_DEVIATIONS, **SIGNED_IN_DEVIATIONS}


def test_every_recording_is_replayed_once() -> None:
    assert sorted([*KEY_ALONE, *SIGNED_IN]) == sorted(RECORDINGS)


def test_every_difference_says_why_and_the_page_counts_them() -> None:
    assert set(KEY_ALONE_DEVIATIONS) <= set(KEY_ALONE)
    assert set(SIGNED_IN_DEVIATIONS) <= set(SIGNED_IN)
    assert all(one.why for one in DIFFERENT.values())
    said = re.search(
        r"Of (\d+) recorded requests (\d+) are answered alike and (\d+) differ",
        " ".join(documents()["docs/mage.md"].split()),
    )
    assert said is not None
    counts = (len(RECORDINGS), len(RECORDINGS) - len(DIFFERENT), len(DIFFERENT))
    assert tuple(int(number) for number in said.groups()) == counts
