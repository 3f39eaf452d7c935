"""How many answers are kept, and for whom."""

from dataclasses import replace

from starlette.datastructures import MutableHeaders
from starlette.responses import Response
from starlette.types import Message

from app.core.rules import Subject
from rest_compat.kept import LONGEST, Asked, KeptAnswers, Ready

ANA = Subject(kind="key", user_id=1, is_remembered=True)


def asked(query: bytes = b"", body: bytes = b"{}") -> Asked:
    return ("POST", ("v2", "load"), query, body)


def keep(kept: KeptAnswers, one: Asked, text: bytes = b"[]", subject: Subject = ANA) -> None:
    kept.keep(subject, one, Response(text), lambda: True)


async def test_headers_that_one_sending_adds_are_not_those_of_the_next() -> None:
    ready, sent = Ready(Response(b"[]", headers={"Cache-Control": "no-store"})), []

    async def send(message: Message) -> None:
        if message["type"] == "http.response.start":
            sent.append(dict(message["headers"]))
            MutableHeaders(scope=message)["Access-Control-Allow-Origin"] = "https://one.example"

    async def receive() -> Message:
        raise AssertionError("Nothing more is read.")

    for _ in range(2):
        await ready({}, receive, send)
    assert sent[0] == sent[1]
    assert sent[0][b"content-length"] == b"2" and sent[0][b"cache-control"] == b"no-store"


def test_an_answer_is_for_one_caller_and_one_request() -> None:
    kept = KeptAnswers()
    keep(kept, asked())
    assert kept.find(ANA, asked()) is not None
    assert kept.find(replace(ANA), asked()) is None
    for other in (asked(b"a=1"), asked(body=b"{ }"), ("GET", *asked()[1:])):
        assert kept.find(ANA, other) is None


def test_what_no_longer_holds_is_forgotten() -> None:
    kept, holds = KeptAnswers(), [True]
    kept.keep(ANA, asked(), Response(b"[]"), lambda: holds[0])
    assert kept.find(ANA, asked()) is not None
    holds[0] = False
    assert kept.find(ANA, asked()) is None and len(kept) == 0


def test_a_caller_who_was_just_looked_up_has_nothing_kept() -> None:
    kept = KeptAnswers()
    keep(kept, asked(), subject=replace(ANA, is_remembered=False))
    kept.keep(ANA, asked(), Response(b"[]"), lambda: False)
    assert len(kept) == 0


def test_only_so_many_are_kept() -> None:
    kept = KeptAnswers(most=3)
    for number in range(3):
        keep(kept, asked(b"%d" % number))
    assert kept.find(ANA, asked(b"0")) is not None
    keep(kept, asked(b"3"))
    assert len(kept) == 3 and kept.find(ANA, asked(b"1")) is None
    assert kept.find(ANA, asked(b"0")) is not None


def test_only_so_many_bytes_are_kept() -> None:
    kept = KeptAnswers(most_bytes=1000)
    for number in range(9):
        keep(kept, asked(b"%d" % number), b"x" * 400)
    assert len(kept) == 2 and kept.find(ANA, asked(b"8")) is not None
    keep(kept, asked(b"8"), b"y" * 400)
    assert len(kept) == 2
    keep(kept, asked(b"long"), b"x" * LONGEST)
    keep(kept, asked(body=b"x" * LONGEST))
    assert kept.find(ANA, asked(b"long")) is None and len(kept) == 2
