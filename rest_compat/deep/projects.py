"""Projects, their members, and those who wish to be: what bodies and queries mean, what is shown."""

from collections.abc import Mapping
from typing import Any

from app.core.errors import Forbidden, NotFound
from rest_compat.deep import given as g
from rest_compat.deep import query as q
from rest_compat.deep import words as w
from rest_compat.deep.answer import BadInput
from rest_compat.deep.leads import common, organization, person
from rest_compat.described import INTEGER, one_of, takes
from rest_compat.dialect import Answer, Call

ORDER = {
    "id": "NUMBER",
    "title": "NAME",
    "status": "STATUS",
    "start_date": "START_DATE",
    "end_date": "END_DATE",
    "created_at": "CREATED_AT",
    "modified_at": "UPDATED_AT",
}


@takes(one_of(["my_projects", "not_my_projects"]))
def _involvement(value: str) -> Any:
    known = {"my_projects": True, "not_my_projects": False}
    if value not in known:
        raise q.no_choice(value)
    return "isMember", "", known[value]


FILTERS: dict[str, Any] = {
    "id": q.numbers("number"),
    "title": q.text("name", "contains"),
    "status": q.words("status", w.PROJECT_STATUSES),
    "created_by": q.numbers("createdByNumber"),
    "modified_by": q.numbers("updatedByNumber"),
    "is_current_user_member": q.flag("isMember"),
    "involvement": _involvement,
    # What no project has comes behind `id`, whose place it takes.
    "regions": q.nobody,
    "user_groups": q.nobody,
    **q.moments("created_at", "createdAt", q.moment),
}


PART = {"organization": INTEGER, "organizationType": one_of(w.ORGANIZATION_KINDS)}


@takes({"type": "array", "items": {"type": "object", "properties": PART}})
def _organizations(value: Any) -> list[dict[str, Any]]:
    kind = g.choice(w.ORGANIZATION_KINDS)
    return [
        {
            "number": g.key(one.get("organization")),
            "kind": kind(one.get("organization_type", "lead_organization")),
        }
        for one in g.objects(value)
    ]


MEMBERS: dict[str, tuple[str, g.Check]] = {
    "title": ("name", g.text(blank=False, most=150)),
    "description": ("description", g.text()),
    "is_test": ("isTest", g.flag),
    "status": ("status", g.choice(w.PROJECT_STATUSES)),
    "start_date": ("startDate", g.day),
    "end_date": ("endDate", g.day),
    "data": ("data", g.free),
    "organizations": ("organizations", _organizations),
    "client_id": ("clientId", g.client_key),
}
REFUSED: dict[str, tuple[str, g.Check]] = {
    "regions": ("regions", g.nothing("Regions are not kept here. Leave them out.")),
    "user_groups": (
        "userGroups",
        g.nothing("Groups cannot join projects here. Add their members, each with a role."),
    ),
}
"""What clients of DEEP give a project and it does not keep here."""
NO_ROLE: dict[str, Any] = {"id": None, "name": None, "title": None}
NEW = {**MEMBERS, "is_private": ("isPrivate", g.flag)}


def wanted(call: Call) -> dict[str, Any]:
    """Which projects, by query."""
    where = q.filters(call.query, FILTERS)
    if sought := call.query.get("search"):
        both = [{"name": {"contains": sought}}, {"description": {"contains": sought}}]
        where["or"] = both
    return {"where": where, "order": q.order(call.query, ORDER, q.NEWEST), **q.page(call)}


def own(call: Call) -> dict[str, Any]:
    """Projects that the caller is a member of."""
    asked = wanted(call)
    return {**asked, "where": {**asked["where"], "isMember": True}}


def named(call: Call) -> dict[str, Any]:
    """The project in the path."""
    return {"number": g.number(call)}


def _given(call: Call, known: Mapping[str, tuple[str, g.Check]], required: Any) -> dict[str, Any]:
    found = g.members(call.body, {**known, **REFUSED}, required)
    return {name: value for name, value in found.items() if name not in ("regions", "userGroups")}


def new(call: Call) -> dict[str, Any]:
    """A new project, which every user sees unless its maker says otherwise."""
    found = _given(call, NEW, ("title",))
    return {"input": {"isPrivate": False, "status": "INACTIVE", **found}}


def changes(call: Call) -> dict[str, Any]:
    """What is to change of a project; whether it is private never does."""
    if "is_private" in call.body:
        raise Forbidden("Cannot change privacy of project", reason="OWN_WORDS")
    required = ("title",) if call.method == "PUT" else ()
    found = _given(call, MEMBERS, required)
    return {"input": {"number": g.number(call), **found, "expectedVersion": g.version(call)}}


def gone(call: Call) -> dict[str, Any]:
    """A project to delete."""
    return {"input": {"number": g.number(call)}}


def member_status(row: Any) -> str:
    """What the caller is to the project."""
    if row["viewerRole"] is not None:
        return "admin" if w.ROLES.get(row["viewerRole"], ("", 0, False))[2] else "member"
    return "pending" if row["viewerWishesToJoin"] else "none"


def _part(row: Any) -> dict[str, Any]:
    """What an organisation is to a project."""
    return {
        "id": row["id"],
        "organization": (row["organization"] or {}).get("id"),
        "organizationType": w.told(w.ORGANIZATION_KINDS, row["organizationType"]),
        "organizationTypeDisplay": row["organizationTypeDisplay"],
        "organizationDetails": organization(row["organization"]),
    }


def project(row: Any, _: Call) -> dict[str, Any]:
    """A project."""
    if row is None:
        raise NotFound("There is no such project.")
    status = w.told(w.PROJECT_STATUSES, row["status"])
    return {
        **common(row),
        "title": row["title"],
        "description": row["description"] or "",
        "startDate": row["startDate"],
        "endDate": row["endDate"],
        "status": status,
        "statusDisplay": status.title(),
        "isPrivate": row["isPrivate"],
        "isTest": row["isTest"],
        "isDefault": False,
        "isDeleted": False,
        "isAssessmentEnabled": False,
        "hasAssessments": False,
        "isVisualizationEnabled": {"entry": False, "assessment": False},
        "organizations": [_part(one) for one in row["organizations"]],
        "regions": [],
        "userGroups": [],
        "analysisFramework": None,
        "analysisFrameworkTitle": None,
        "categoryEditor": None,
        "categoryEditorTitle": None,
        "assessmentTemplate": None,
        "assessmentTemplateTitle": None,
        "data": row["data"] or None,
        "role": row["viewerRoleNumber"],
        "memberStatus": member_status(row),
        "numberOfUsers": row["memberCount"],
        "hasPubliclyViewableUnprotectedLeads": False,
        "hasPubliclyViewableRestrictedLeads": False,
        "hasPubliclyViewableConfidentialLeads": False,
        "enablePubliclyViewableAnalysisReportSnapshot": False,
    }


def page(data: Any, call: Call) -> dict[str, Any]:
    """A page of projects."""
    return q.listed(data, call, project)


def one(data: Any, call: Call) -> dict[str, Any]:
    """A project; members see who else is one."""
    return _with_members(data["project"], call)


def _with_members(row: Any, call: Call) -> dict[str, Any]:
    shown = project(row, call)
    if row["viewerRole"] is None:
        return shown
    return {**shown, "memberships": [membership(m) for m in row["memberships"]]}


def made(data: Any, call: Call) -> Answer:
    """A new project."""
    return Answer(201, project(data["payload"]["project"], call))


def changed(data: Any, call: Call) -> dict[str, Any]:
    """A project after a change."""
    return _with_members(data["payload"]["project"], call)


def membership(row: Any) -> dict[str, Any]:
    """A member of a project."""
    user, role = row["user"] or {}, row["role"] or NO_ROLE
    _, level, is_admin = w.ROLES.get(role["name"], ("unknown", 0, False))
    return {
        "id": row["id"],
        "member": user.get("id"),
        "memberName": user.get("displayName"),
        "memberEmail": user.get("email"),
        "memberStatus": "admin" if is_admin else "member",
        "memberOrganization": "",
        "role": role["id"],
        "roleDetails": {"id": role["id"], "title": role["title"], "level": level},
        "project": (row["project"] or {}).get("id"),
        "addedBy": (row["addedBy"] or {}).get("id"),
        "addedByName": row["addedByName"],
        "joinedAt": row["joinedAt"],
        "badges": [],
        "userGroupOptions": [],
    }


def _members(data: Any) -> list[dict[str, Any]]:
    if data["project"] is None:
        raise NotFound("There is no such project.")
    return [membership(one) for one in data["project"]["memberships"]]


def members(data: Any, call: Call) -> dict[str, Any]:
    """Members of a project."""
    return q.of_list(_members(data), call)


def a_member(data: Any, call: Call) -> dict[str, Any]:
    """One member of a project."""
    number = g.number(call, "member")
    found = next((one for one in _members(data) if one["id"] == number), None)
    if found is None:
        raise NotFound("There is no such membership.")
    return found


MEMBER = {"member": ("userNumber", g.key), "role": ("roleNumber", g.key)}


def new_member(call: Call) -> dict[str, Any]:
    """A new member."""
    found = g.members(call.body, MEMBER, ("member",))
    return {"input": {**found, "projectNumber": g.number(call)}}


def new_members(call: Call) -> dict[str, Any]:
    """Several new members."""
    listed = call.body["list"]
    if not isinstance(listed, list) or not all(isinstance(one, dict) for one in listed):
        raise BadInput({"list": ["Expected a list of items."]})
    found = [g.members(one, MEMBER, ("member",)) for one in listed]
    return {"input": {"projectNumber": g.number(call), "members": found}}


def is_many(call: Call) -> bool:
    """Whether several members shall be added."""
    return "list" in call.body


def made_member(data: Any, _: Call) -> Answer:
    """A new member."""
    return Answer(201, membership(data["payload"]["membership"]))


def made_members(data: Any, _: Call) -> Answer:
    """New members."""
    found = [membership(one) for one in data["payload"]["memberships"]]
    return Answer(201, {"results": found})


def member_changes(call: Call) -> dict[str, Any]:
    """Another role of a member."""
    found = g.members(call.body, {"role": ("roleNumber", g.key)}, ("role",))
    return {"input": {**_named_within(call, "member"), **found}}


def changed_member(data: Any, _: Call) -> dict[str, Any]:
    """A member after a change."""
    return membership(data["payload"]["membership"])


def gone_member(call: Call) -> dict[str, Any]:
    """A member to remove."""
    return {"input": _named_within(call, "member")}


def _named_within(call: Call, name: str) -> dict[str, int]:
    """What the path names, in the project that it names."""
    return {"number": g.number(call, name), "projectNumber": g.number(call)}


def to_join(call: Call) -> dict[str, Any]:
    """A wish to join."""
    found = g.members(call.body, {"reason": ("reason", g.text(most=1000))})
    return {"input": {"project": g.by(call), **found}}


def not_to_join(call: Call) -> dict[str, Any]:
    """A wish that is taken back."""
    return {"input": {"project": g.by(call)}}


def wish(row: Any) -> dict[str, Any]:
    """A wish to join."""
    asked = row["user"] or {"id": row["userNumber"], "displayName": row["userName"], "email": None}
    return {
        "id": row["id"],
        "project": row["project"],
        "requestedBy": person(asked),
        "respondedBy": person(row["answeredBy"]),
        "reason": row["reason"],
        "requestedAt": row["createdAt"],
        "status": w.told(w.JOIN_STATUSES, row["status"]),
        "respondedAt": row["answeredAt"],
        "data": {"reason": row["reason"]},
        "role": None,
    }


def wished(data: Any, _: Call) -> Answer:
    """A new wish."""
    return Answer(201, wish(data["payload"]["joinRequest"]))


def answered(data: Any, _: Call) -> dict[str, Any]:
    """A wish that was answered."""
    return wish(data["payload"]["joinRequest"])


def wishes(data: Any, call: Call) -> dict[str, Any]:
    """Wishes to join a project."""
    if data["project"] is None:
        raise NotFound("There is no such project.")
    return q.of_list([wish(one) for one in data["project"]["joinRequests"]], call)


def page_of_notifications(call: Call) -> dict[str, Any]:
    """Which page."""
    return q.page(call)


def _notification(row: Any, _: Call) -> dict[str, Any]:
    moment = row["answeredAt"] or row["createdAt"]
    return {"date": moment, "type": "project_join_request", "details": wish(row)}


def notifications(data: Any, call: Call) -> dict[str, Any]:
    """Of what the caller is told: who wishes to join projects whose members the caller chooses."""
    return q.listed(data, call, _notification)


def accepted(call: Call) -> dict[str, Any]:
    """A wish to accept: with a role's number, or as normal or admin."""
    role = call.body.get("role", "normal")
    named = {"normal": {"role": "editor"}, "admin": {"role": "admin"}}.get(str(role))
    if named is None:
        named = g.members({"role": role}, {"role": ("roleNumber", g.key)})
    return {"input": {**_named_within(call, "request"), "accept": True, **named}}


def rejected(call: Call) -> dict[str, Any]:
    """A wish to refuse."""
    return {"input": {**_named_within(call, "request"), "accept": False}}


def role(row: Any) -> dict[str, Any]:
    """A role with the permissions that DEEP knows."""
    type_, level, _ = w.ROLES.get(row["name"], ("unknown", 0, False))
    held = set(row["permissions"])
    every = ["view", "create", "modify", "delete"]
    lead = every if "lead.write" in held else ["view"] if "lead.read" in held else []
    if not lead and "lead.read_unprotected" in held:
        lead = ["view_only_unprotected"]
    export = {"view": "create", "view_only_unprotected": "create_only_unprotected"}
    # There are no entries and exports here; who may read leads would read them.
    reads = [] if row["name"] == "sourcer" else lead[:1]
    setup = [n for n, p in (("modify", "project.write"), ("delete", "project.delete")) if p in held]
    return {
        "id": row["id"],
        "title": row["title"],
        "type": type_,
        "level": level,
        "leadPermissions": lead,
        "entryPermissions": lead if reads else [],
        "setupPermissions": setup,
        "exportPermissions": [export[one] for one in reads],
        "assessmentPermissions": [],
        "isCreatorRole": row["name"] == "owner",
        "isDefaultRole": row["name"] == "editor",
        "description": "",
    }


def roles(data: Any, call: Call) -> dict[str, Any]:
    """All roles."""
    return q.of_list([role(one) for one in data["roles"]], call)
