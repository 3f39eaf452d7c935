"""The same tests with compiled reads off: ISTHMUS_COMPILE changes how fast an answer is, nothing else.

`make test` runs a part of them so, `make test-long` all.
"""

from pathlib import Path

import pytest

ALWAYS = frozenset({"test_lists", "test_tier"})
"""Modules that are run without the compiler each time."""
ABOUT_TIERS = frozenset({"test_tiers"})
"""Modules that choose the tier themselves; so do all in the folder `compiler`."""


def with_and_without_compiler(metafunc: pytest.Metafunc) -> None:
    """Run a test of the application twice, each time with a database and an application of its own."""
    path = Path(metafunc.module.__file__ or "")
    if "compile_reads" not in metafunc.fixturenames or path.parent.name == "compiler":
        return
    if path.stem not in ABOUT_TIERS:
        marks = () if path.stem in ALWAYS else (pytest.mark.long,)
        off = pytest.param(False, id="executed", marks=marks)
        tiers = [pytest.param(True, id="compiled"), off]
        metafunc.parametrize("compile_reads", tiers, scope="module")
