"""When two urls are the same page."""

import pytest

from app.content.urls import normalised


@pytest.mark.parametrize(
    "other",
    [
        "http://a.org/one",
        "https://www.A.org/one/",
        "https://a.org:443/one#part",
        "a.org/one?utm_source=x",
        " https://a.org/one ",
    ],
)
def test_the_same_page(other: str) -> None:
    assert normalised(other) == normalised("https://a.org/one") == "a.org/one"


@pytest.mark.parametrize(
    "other", ["https://a.org/10", "https://a.org/1?x=2", "https://b.org/1", "https://a.org:81/1"]
)
def test_another_page(other: str) -> None:
    assert normalised(other) != normalised("https://a.org/1")


@pytest.mark.parametrize("text", ["", "  ", "http://[::1", "://", "http://a.org:99999/x"])
def test_what_is_no_url_is_itself(text: str) -> None:
    assert normalised(text) == text.strip().lower()
