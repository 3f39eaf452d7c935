"""Secrets at rest."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from app.core.crypto import KeyRing, SecretError

OLD, NEW = KeyRing.generate(), KeyRing.generate().replace("k1:", "k2:")
RING = KeyRing.parse(OLD)
ROTATED = KeyRing.parse(f"{NEW},{OLD}")
PLACE = "installation/mage_api_key/value"


@given(st.text(alphabet=st.characters(exclude_categories=["Cs"])))
def test_what_is_sealed_opens_in_its_place(plain: str) -> None:
    sealed = RING.seal(plain, PLACE)
    assert RING.open(sealed, PLACE) == plain
    assert len(plain) < 4 or plain not in sealed


def test_the_same_text_is_sealed_differently_each_time() -> None:
    assert RING.seal("text", PLACE) != RING.seal("text", PLACE)


def test_a_value_that_was_moved_does_not_open() -> None:
    sealed = RING.seal("text", PLACE)
    with pytest.raises(SecretError):
        RING.open(sealed, "installation/admin_password/value")


def test_after_rotation_old_values_open_and_new_ones_have_the_new_key() -> None:
    old = RING.seal("text", PLACE)
    assert ROTATED.open(old, PLACE) == "text"
    assert ROTATED.seal("text", PLACE).split(":")[1] == "k2"
    with pytest.raises(SecretError):
        RING.open(ROTATED.seal("text", PLACE), PLACE)


def test_what_is_derived_survives_the_addition_of_a_key() -> None:
    assert ROTATED.derive("envelope") == RING.derive("envelope")
    assert RING.derive("envelope") != RING.derive("another purpose")


@pytest.mark.parametrize(
    "damage",
    [
        lambda sealed: sealed[:-4],
        lambda sealed: sealed[:-8] + "AAAAAAA=",
        lambda sealed: sealed.replace("v1", "v2", 1),
        lambda sealed: sealed.replace("k1", "k9", 1),
        lambda sealed: "v1:k1",
        lambda sealed: "v1:k1::",
        lambda sealed: "plain text",
        lambda sealed: "",
        lambda sealed: "v1:k1:é:é",
    ],
)
def test_a_damaged_value_is_an_error_and_no_text(damage: object) -> None:
    with pytest.raises(SecretError):
        RING.open(damage(RING.seal("text", PLACE)), PLACE)  # type: ignore[operator]


@pytest.mark.parametrize(
    "text",
    ["", ",", "k1", "k1:", "k1:AAAA", ":" + OLD[3:], "k1:not base64!", OLD + ",k2:x"],
    ids=range(8),
)
def test_a_key_ring_of_no_use_is_refused(text: str) -> None:
    with pytest.raises(SecretError):
        KeyRing.parse(text)
