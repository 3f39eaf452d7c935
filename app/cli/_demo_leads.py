"""The demo's thirty leads: what people of a harbour read."""

from datetime import date, timedelta
from itertools import product
from typing import Any

from app.cli._demo_call import Caller, DemoFailed, say

_HARBOURS = ("Rotterdam", "Hamburg", "Valencia", "Felixstowe", "Gdansk", "Piraeus")
_NEWS = (
    ("{} closes a berth for repairs", "WEBSITE", "HIGH", "NOT_TAGGED", "UNPROTECTED"),
    ("Weekly figures of {}", "RSS", "LOW", "TAGGED", "UNPROTECTED"),
    ("Storm warning for {}", "EMM", "HIGH", "IN_PROGRESS", "UNPROTECTED"),
    ("Notes of a call with the pilots of {}", "TEXT", "MEDIUM", "NOT_TAGGED", "RESTRICTED"),
    (
        "Draft contract with the crane operators of {}",
        "TEXT",
        "MEDIUM",
        "NOT_TAGGED",
        "CONFIDENTIAL",
    ),
)
_FIND = """query { leads(where: {clientId: {startsWith: "demo-lead-"}}) { totalCount } }"""
_GROUP = """mutation { payload: leadGroupCreate(input: {title: "Harbour news"}) {
  errors { message } leadGroup { number } } }"""
_MAKE = """mutation($items: [LeadBulkItem!]!) { payload: leadBulk(input: {items: $items}) {
  errors { message } results { lead { number } } } }"""


def load(call: Caller) -> None:
    """Make the leads where they are missing."""
    if call.graphql(_FIND)["leads"]["totalCount"]:
        say("\nThe leads are there already.")
        return
    group = _of(call.graphql(_GROUP))["leadGroup"]["number"]
    pairs = enumerate(product(_HARBOURS, _NEWS))
    items = [_item(number, group, *pair) for number, pair in pairs]
    made = _of(call.graphql(_MAKE, items=items))["results"]
    say(f"\nMade {len(made)} leads in the group Harbour news.")


def _item(number: int, group: int, harbour: str, news: tuple[str, ...]) -> dict[str, Any]:
    title, kind, priority, status, confidentiality = news
    words = title.format(harbour)
    url = f"https://{harbour.lower()}.example.org/news/{number}" if kind != "TEXT" else ""
    day = date(2026, 1, 5) + timedelta(days=number)
    lead = {
        "title": words,
        "sourceType": kind,
        "priority": priority,
        "status": status,
        "confidentiality": confidentiality,
        "source": f"Port of {harbour}",
        "url": url,
        "text": f"{words}. Reported on {day.isoformat()}.",
        "publishedOn": day.isoformat(),
        "leadGroupNumber": group,
        "clientId": f"demo-lead-{number + 1}",
    }
    return {"lead": lead}


def _of(data: Any) -> Any:
    payload = data["payload"]
    if payload["errors"]:
        raise DemoFailed(f"the leads: {payload['errors'][0]['message']}")
    return payload
