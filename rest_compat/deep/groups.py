"""Groups of leads and organisations: what bodies and queries mean, and what is shown."""

from typing import Any

from app.core.errors import NotFound
from rest_compat.deep import given as g
from rest_compat.deep import query as q
from rest_compat.deep.leads import common, lead
from rest_compat.dialect import Answer, Call

GROUP_ORDER = {
    "id": "NUMBER",
    "title": "TITLE",
    "created_at": "CREATED_AT",
    "modified_at": "UPDATED_AT",
}
GROUP_FILTERS = {
    "id": q.numbers("number"),
    "project": q.numbers("projectNumber"),
    "title": q.text("title", "contains"),
    "search": q.text("title", "contains"),
}
GROUP = {
    "title": ("title", g.text(blank=False, most=255)),
    "project": ("project", g.key),
    "leads": ("leadNumbers", g.keys),
    "client_id": ("clientId", g.client_key),
}


def wanted_groups(call: Call) -> dict[str, Any]:
    """Which groups."""
    where, order = q.filters(call.query, GROUP_FILTERS), q.order(call.query, GROUP_ORDER, q.NEWEST)
    return {"where": where, "order": order, **q.page(call, 10, 15)}


def new_group(call: Call) -> dict[str, Any]:
    """A new group."""
    found = g.members(call.body, GROUP, ("title", "project"))
    return {"input": {**found, "project": {"number": found["project"]}}}


def group_changes(call: Call) -> dict[str, Any]:
    """What is to change of a group."""
    required = ("title", "project") if call.method == "PUT" else ()
    found = g.members(call.body, GROUP, required)
    kept = {n: v for n, v in found.items() if n in ("title", "leadNumbers")}
    if "project" in found:
        kept["project"] = {"number": found["project"]}
    return {"input": {"by": g.by(call), **kept, "expectedVersion": g.version(call)}}


def group(row: Any, call: Call) -> dict[str, Any]:
    """A group with its leads."""
    if row is None:
        raise NotFound("There is no such group.")
    leads = [lead(one, call) for one in row["leads"]["nodes"]]
    own = {"title": row["title"], "project": (row["project"] or {}).get("id")}
    return {**common(row), **own, "leads": leads, "noOfLeads": row["leadCount"]}


def groups(data: Any, call: Call) -> dict[str, Any]:
    """A page of groups."""
    return q.listed(data, call, group, 10, 15)


def one_group(data: Any, call: Call) -> dict[str, Any]:
    """The group of a read."""
    return group(data["leadGroup"], call)


def made_group(data: Any, call: Call) -> Answer:
    """A new group."""
    return Answer(201, group(data["payload"]["leadGroup"], call))


def changed_group(data: Any, call: Call) -> dict[str, Any]:
    """A group after a change."""
    return group(data["payload"]["leadGroup"], call)


ORGANIZATION_FILTERS = {
    "id": q.numbers("number"),
    "search": q.text("title", "contains"),
    "verified": q.flag("verified", "eq"),
}
ORGANIZATION = {
    "title": ("title", g.text(blank=False, most=255)),
    "short_name": ("shortName", g.text(most=255)),
    "long_name": ("longName", g.text(most=512)),
    "url": ("url", g.text(most=512)),
    "organization_type": ("organizationTypeNumber", g.key_or_null),
    "client_id": ("clientId", g.client_key),
}


def wanted_organizations(call: Call) -> dict[str, Any]:
    """Which organisations."""
    known = {"id": "NUMBER", "title": "TITLE", "created_at": "CREATED_AT"}
    where, order = q.filters(call.query, ORGANIZATION_FILTERS), q.order(call.query, known)
    return {"where": where, "order": order, **q.page(call, 10, 15)}


def new_organization(call: Call) -> dict[str, Any]:
    """A new organisation."""
    return {"input": g.members(call.body, ORGANIZATION, ("title",))}


def an_organization(row: Any, _: Call) -> dict[str, Any]:
    """An organisation as a resource."""
    if row is None:
        raise NotFound("There is no such organisation.")
    kind = row["organizationType"]
    own = {n: row[n] for n in ("title", "shortName", "longName", "url", "verified")}
    typed = {"organizationType": (kind or {}).get("id"), "organizationTypeDisplay": kind}
    more = {"regions": [], "regionsDisplay": [], "popularity": 0, "logo": None}
    return {**common(row), **own, **typed, **more}


def organizations(data: Any, call: Call) -> dict[str, Any]:
    """A page of organisations."""
    return q.listed(data, call, an_organization, 10, 15)


def one_organization(data: Any, call: Call) -> dict[str, Any]:
    """The organisation of a read."""
    return an_organization(data["organization"], call)


def made_organization(data: Any, call: Call) -> Answer:
    """A new organisation."""
    return Answer(201, an_organization(data["payload"]["organization"], call))


def organization_types(data: Any, call: Call) -> dict[str, Any]:
    """All kinds of organisation."""
    return q.of_list(data["organizationTypes"], call)
