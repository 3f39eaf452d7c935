"""The cross-site rule alone."""

import pytest

from app.core.csrf import csrf_refusal

OWN = "http://isthmus.test:6789"
ALLOWED = ("http://localhost:8000/",)


@pytest.mark.parametrize(
    ("method", "headers", "passes"),
    [
        ("POST", {}, True),
        ("POST", {"origin": OWN}, True),
        ("POST", {"origin": "http://localhost:8000"}, True),
        ("POST", {"origin": "HTTP://LOCALHOST:8000"}, True),
        ("POST", {"origin": OWN, "sec-fetch-site": "cross-site"}, True),
        ("DELETE", {"sec-fetch-site": "same-origin"}, True),
        ("PUT", {"sec-fetch-site": "none"}, True),
        ("PUT", {"sec-fetch-site": "same-site"}, False),
        ("PATCH", {"sec-fetch-site": "cross-site"}, False),
        ("POST", {"origin": "null"}, False),
        ("POST", {"origin": ""}, False),
        ("POST", {"origin": "http://isthmus.test"}, False),
        ("POST", {"origin": "https://isthmus.test:6789"}, False),
        ("POST", {"origin": OWN + ".evil.test"}, False),
        ("POST", {"origin": "http://evil.test", "sec-fetch-site": "same-origin"}, False),
        ("GET", {"origin": "http://evil.test"}, True),
        ("head", {"sec-fetch-site": "cross-site"}, True),
        ("OPTIONS", {"origin": "null"}, True),
    ],
)
def test_request_with_a_session_cookie(method: str, headers: dict[str, str], passes: bool) -> None:
    reason = csrf_refusal(method, headers, ALLOWED, OWN)
    assert (reason is None) == passes


def test_null_passes_not_even_when_it_is_on_the_list() -> None:
    assert csrf_refusal("POST", {"origin": "null"}, ("null",), OWN) is not None
