"""Leads: what bodies and queries mean, and what is shown."""

from typing import Any
from urllib.parse import quote

from app.core.errors import NotFound
from rest_compat.deep import given as g
from rest_compat.deep import query as q
from rest_compat.deep import words as w
from rest_compat.deep.answer import BadInput, is_server
from rest_compat.described import INTEGER, TEXT, one_of, taken_by, takes
from rest_compat.dialect import Answer, Call

ORDER = {
    "id": "NUMBER",
    "title": "TITLE",
    "source": "SOURCE",
    "url": "URL",
    "status": "STATUS",
    "priority": "PRIORITY",
    "confidentiality": "CONFIDENTIALITY",
    "source_type": "SOURCE_TYPE",
    "published_on": "PUBLISHED_ON",
    "assignee": "ASSIGNEE",
    "project": "PROJECT",
    "created_at": "CREATED_AT",
    "modified_at": "UPDATED_AT",
}


EXISTS = {
    "entries_do_not_exist": True,
    "assessment_does_not_exist": True,
    "entries_exists": False,
    "assessment_exists": False,
}
"""There are no entries and no assessments here: all leads are without them, none has any."""


@takes(one_of(EXISTS))
def _exists(text: str) -> Any:
    if text not in EXISTS:
        raise q.no_choice(text)
    return None if EXISTS[text] else ("number", "in", [])


@takes(taken_by(q.texts))
def _risks(text: str) -> Any:
    # A lead may have the word in one trigger and the risk in another.
    return "and", "", [{"emmTrigger": {"riskFactor": {"in": q.texts(text)[2]}}}]


FILTERS: dict[str, Any] = {
    "id": q.numbers("number"),
    "project": q.numbers("projectNumber"),
    "status": q.words("status", w.STATUSES),
    "confidentiality": q.words("confidentiality", w.CONFIDENTIALITIES),
    "priority": q.words("priority", w.PRIORITIES),
    "source_type": q.words("sourceType", w.SOURCE_TYPES),
    "assignee": q.parts("assignee", "number", q.numbers("")),
    "authoring_organization_types": q.parts("author", "typeNumber", q.numbers("")),
    "emm_entities": q.parts("emmEntity", "name", q.texts),
    "emm_keywords": q.parts("emmTrigger", "keyword", q.texts),
    "similar": q.number("similarToNumber"),
    "search": q.text("contains", ""),
    "text": q.text("text", "eq"),
    "url": q.text("url", "eq"),
    "client_id": q.text("clientId", "eq"),
    "published_on": q.day("publishedOn", "eq"),
    **q.moments("published_on", "publishedOn", q.day),
    "created_at": q.at("createdAt"),
    **q.moments("created_at", "createdAt", q.moment),
    "emm_risk_factors": _risks,
    # What no lead has comes behind `id`, whose place it takes.
    "exists": _exists,
    "classified_doc_id": q.nobody,
}
TRIGGER = {"emmKeyword": TEXT, "emmRiskFactor": TEXT, "count": g.NUMBER_OR_NULL}


@takes({"type": ["string", "integer", "null"]})
def _source(value: Any) -> Any:
    """A text, or the id of an organisation."""
    return (
        value if isinstance(value, int) and not isinstance(value, bool) else g.text(most=512)(value)
    )


@takes({"type": "array", "items": {"type": "object", "properties": TRIGGER}})
def _triggers(value: Any) -> Any:
    return [
        {
            "emmKeyword": g.text(blank=False, most=255)(one.get("emm_keyword")),
            "emmRiskFactor": g.text(most=255)(one.get("emm_risk_factor")),
            "count": g.key_or_null(one.get("count")),
        }
        for one in g.objects(value)
    ]


@takes({"type": "array", "items": {"type": "object", "properties": {"name": TEXT}}})
def _entities(value: Any) -> Any:
    return [{"name": g.text(blank=False, most=255)(one.get("name"))} for one in g.objects(value)]


MEMBERS: dict[str, tuple[str, g.Check]] = {
    "title": ("title", g.text(blank=False, most=255)),
    "source": ("source", _source),
    "website": ("website", g.text(most=2000)),
    "url": ("url", g.text(most=2000)),
    "text": ("text", g.text()),
    "source_type": ("sourceType", g.choice(w.SOURCE_TYPES)),
    "priority": ("priority", g.choice(w.PRIORITIES)),
    "confidentiality": ("confidentiality", g.choice(w.CONFIDENTIALITIES)),
    "status": ("status", g.choice(w.STATUSES)),
    "published_on": ("publishedOn", g.day),
    "assignee": ("assigneeNumbers", g.keys_or_one),
    "attachment": ("attachmentNumber", g.nested_key),
    "lead_group": ("leadGroupNumber", g.key_or_null),
    "authors": ("authorNumbers", g.keys),
    "is_assessment_lead": ("isAssessmentLead", g.flag),
    "emm_triggers": ("emmTriggers", _triggers),
    "emm_entities": ("emmEntities", _entities),
    "client_id": ("clientId", g.client_key),
}


@takes({"type": ["integer", "array"], "items": INTEGER, "description": "On creation also several."})
def _project(value: Any) -> Any:
    return [g.key(one) for one in value] if isinstance(value, list) and value else g.key(value)


NEW = {**MEMBERS, "project": ("project", _project)}
CHANGED = {**MEMBERS, "project": ("project", g.key)}


def _lead(found: dict[str, Any]) -> dict[str, Any]:
    """The input `LeadFields`."""
    found.pop("project", None)
    if isinstance(found.get("source"), int):
        found["sourceNumber"] = found.pop("source")
    return found


def is_many(call: Call) -> bool:
    """Whether the new lead shall be in several projects."""
    return isinstance(call.body.get("project"), list)


def new(call: Call) -> dict[str, Any]:
    """A new lead."""
    found = g.members(call.body, NEW, ("title", "project"))
    project = found["project"]
    return {"input": {"project": {"number": project}, "lead": _lead(found)}}


def new_in_many(call: Call) -> dict[str, Any]:
    """A new lead in each of several projects."""
    found = g.members(call.body, NEW, ("title", "project"))
    if not isinstance(found["project"], list):
        raise BadInput({"project": ["This list may not be empty."]})
    projects, lead = found["project"], _lead(found)
    items = [{"project": {"number": one}, "lead": lead} for one in dict.fromkeys(projects)]
    return {"input": {"items": items}}


def changes(call: Call) -> dict[str, Any]:
    """What is to change of a lead; a PUT needs what is required, and resets nothing."""
    required = ("title", "project") if call.method == "PUT" else ()
    found = g.members(call.body, CHANGED, required)
    own = {"project": {"number": found["project"]}} if "project" in found else {}
    version = g.version(call)
    return {"input": {"by": g.by(call), **own, "lead": _lead(found), "expectedVersion": version}}


def gone(call: Call) -> dict[str, Any]:
    """A lead to delete."""
    return {"input": {"by": g.by(call), "expectedVersion": g.version(call)}}


def wanted(call: Call) -> dict[str, Any]:
    """Which leads, by query."""
    return _wanted(call, call.query)


def wanted_by_body(call: Call) -> dict[str, Any]:
    """Which leads, by body; the page stays in the query."""
    return _wanted(call, call.body)


def _wanted(call: Call, given: Any) -> dict[str, Any]:
    return {"where": q.filters(given, FILTERS), "order": q.order(given, ORDER), **q.page(call)}


def assigned(row: Any) -> Any:
    """Details of a lead's first assignee."""
    if not row["assignees"]:
        return None
    first = row["assignees"][0]
    return person({**first, "email": (first["user"] or {}).get("email")})


def person(user: Any) -> Any:
    """A user beside something else."""
    if user is None:
        return None
    return {
        "id": user["id"],
        "displayName": user["displayName"],
        "email": user["email"],
        "displayPicture": None,
        "displayPictureUrl": None,
        "organizationTitle": "",
    }


def organization(one: Any) -> Any:
    """An organisation beside a lead."""
    if one is None:
        return None
    return {**one, "logo": None, "mergedAs": None}


def common(row: Any) -> dict[str, Any]:
    """Members of every resource."""
    return {
        "id": row["id"],
        "createdAt": row["createdAt"],
        "modifiedAt": row["modifiedAt"],
        "createdBy": (row["createdBy"] or {}).get("id"),
        "modifiedBy": (row["modifiedBy"] or {}).get("id"),
        "createdByName": row["createdByName"],
        "modifiedByName": row["modifiedByName"],
        "clientId": row["clientId"],
        "versionId": row["versionId"],
    }


def file_of(row: Any, call: Call) -> Any:
    """An attachment beside a lead."""
    if row is None:
        return None
    name = quote(row["title"].replace("/", "_"), safe="")
    place = f"{call.base}/private-file/{row['uuid']}/{name}"
    shown = {"id": row["id"], "title": row["title"], "file": place}
    return {**shown, "mimeType": row["mimeType"]}


def lead(row: Any, call: Call) -> dict[str, Any]:
    """A lead, with what is documented and what the server adds."""
    if row is None:
        raise NotFound("There is no such lead.")
    authors = [a["organization"] for a in row["authors"] if a["organization"] is not None]
    source, server = row["source"], is_server(call)
    assignees = [one["id"] for one in row["assignees"]]
    linked = None if source is None else source["id"]
    shown = {
        **common(row),
        "title": row["title"],
        "source": linked if server else (source or {}).get("title", row["sourceRaw"]),
        "sourceRaw": row["sourceRaw"],
        "sourceDetail": organization(source),
        "authors": [one["id"] for one in authors],
        "authorsDetail": [organization(one) for one in authors],
        "authorRaw": "",
        "confidentiality": w.told(w.CONFIDENTIALITIES, row["confidentiality"]),
        "confidentialityDisplay": row["confidentialityLabel"],
        "priority": w.told(w.PRIORITIES, row["priority"]),
        "priorityDisplay": row["priorityLabel"],
        "status": w.told(w.STATUSES, row["status"]),
        "sourceType": w.told(w.SOURCE_TYPES, row["sourceType"]),
        "publishedOn": row["publishedOn"],
        "text": row["text"],
        "url": row["url"],
        "website": row["website"],
        "attachment": file_of(row["attachment"], call),
        "project": (row["project"] or {}).get("id"),
        "assignee": next(iter(assignees), None) if server else assignees,
        "assigneeDetails": assigned(row),
        "leadGroup": (row["leadGroup"] or {}).get("id"),
        "isAssessmentLead": row["isAssessmentLead"],
        "emmTriggers": row["emmTriggers"],
        "emmEntities": row["emmEntities"],
        "duplicateLeads": row["duplicateLeads"],
        "duplicateLeadsCount": row["duplicateLeadsCount"],
        "uuid": row["uuid"],
        "extractionStatus": 0,
        "autoEntryExtractionStatus": 0,
        "isIndexed": False,
    }
    if server:
        del shown["website"]
    return shown


COUNTS = (
    "entriesCount",
    "controlledEntriesCount",
    "filteredEntriesCount",
    "controlledFilteredEntriesCount",
)


def whole(row: Any, call: Call) -> dict[str, Any]:
    """A lead with counts of its entries, of which there are none here."""
    return {**lead(row, call), **dict.fromkeys(COUNTS, 0)}


def one(data: Any, call: Call) -> dict[str, Any]:
    """The lead of a read."""
    return whole(data["lead"], call)


def page(data: Any, call: Call) -> dict[str, Any]:
    """A page of leads."""
    return q.listed(data, call, whole)


def made(data: Any, call: Call) -> Answer:
    """A new lead; the header is the lead's page, as the server has it."""
    row = data["payload"]["lead"]
    place = quote(row["url"], safe=":/?#[]@!$&'()*+,;=%~-._")
    return Answer(201, lead(row, call), {"Location": place})


def made_in_many(data: Any, call: Call) -> Answer:
    """New leads, one for each project."""
    return Answer(201, [lead(one["lead"], call) for one in data["payload"]["results"]])


def changed(data: Any, call: Call) -> dict[str, Any]:
    """A lead after a change."""
    return whole(data["payload"]["lead"], call)


def nothing(_: Any, __: Call) -> Answer:
    """What is gone."""
    return Answer(204)


def to_delete(call: Call) -> dict[str, Any]:
    """Leads of a project that shall go."""
    found = g.members(call.body, {"leads": ("leads", g.keys)}, ("leads",))
    leads = [{"number": one} for one in found["leads"]]
    return {"input": {"project": {"number": g.number(call, "project")}, "delete": leads}}


def nothing_lost(_: Any, __: Call) -> dict[str, int]:
    """What would go with leads: there are no entries and assessments here."""
    return {"entries": 0, "assessments": 0}


def to_copy(call: Call) -> dict[str, Any]:
    """Leads and projects."""
    known = {"leads": ("leads", g.keys), "projects": ("projects", g.keys)}
    found = g.members(call.body, known, ("leads", "projects"))
    return {"input": {n: [{"number": one} for one in v] for n, v in found.items()}}


def copied(data: Any, call: Call) -> Answer:
    """What was copied where."""
    copies = data["payload"]["copies"]
    by_project = {str(one["projectNumber"]): one["leadNumbers"] for one in copies}
    shown = {n: g.keys(call.body[n]) for n in ("projects", "leads")}
    return Answer(201, {**shown, "leadsByProjects": by_project})
