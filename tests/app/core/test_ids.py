"""Names, tokens and global ids."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from app.core.ids import (
    global_id,
    new_token,
    new_trigger_token,
    parse_global_id,
    row_number,
    slug,
    token_hash,
)


@given(st.text(alphabet=st.characters(exclude_categories=["Cs"])))
def test_a_uuid_is_a_word_and_its_own_uuid(name: str) -> None:
    made = slug(name)
    assert made and all(c == "_" or c.isalnum() or not c.isascii() for c in made)
    assert not made[0].isdigit()
    if made.isascii():
        assert slug(made) == made


@pytest.mark.parametrize(
    ("name", "uuid"),
    [
        ("arwen-starlight", "arwen_starlight"),
        ("Load data!", "load_data_"),
        ('"quo$ted"\n\r\t', "quoted"),
        ("7 dwarves", "letter_7_dwarves"),
        ("", "_"),
        ("a/b\\c:d", "a_b_c_d"),
        ("../../etc", "______etc"),
    ],
)
def test_names_become_identifiers(name: str, uuid: str) -> None:
    assert slug(name) == uuid


@given(
    st.text(st.characters(exclude_characters=":", exclude_categories=["Cs"]), min_size=1),
    st.text(alphabet=st.characters(exclude_categories=["Cs"]), min_size=1),
)
def test_a_global_id_is_read_back(type_name: str, key: str) -> None:
    assert parse_global_id(global_id(type_name, key)) == (type_name, key)


@given(st.text())
def test_any_other_text_is_no_global_id(text: str) -> None:
    parsed = parse_global_id(text)
    assert parsed is None or global_id(*parsed) == text


@pytest.mark.parametrize("text", ["VXNlcjox\n", "VXNlcjo=", "OjE=", "VXNlcg==", "VXNlcjoy=", "VXN"])
def test_what_looks_like_one_is_none(text: str) -> None:
    assert parse_global_id(text) is None


@pytest.mark.parametrize("key", ["", "-1", "1.0", "²", "٣", "1_0", " 1", "1" * 19, "0x1"])
def test_no_row_has_such_a_number(key: str) -> None:
    assert row_number(key) is None


def test_tokens_are_new_each_time_and_stored_as_hashes() -> None:
    tokens = {new_token() for _ in range(100)}
    assert len(tokens) == 100 and {len(token) for token in tokens} == {43}
    assert {len(new_trigger_token()) for _ in range(5)} == {32}
    token = tokens.pop()
    assert len(token_hash(token)) == 64 and token not in token_hash(token)
