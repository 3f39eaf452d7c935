"""Users, their groups, and files: what bodies and queries mean, and what is shown."""

from typing import Any

from app.content.staging import file_of as stored_file
from app.core.errors import NotFound
from rest_compat.deep import given as g
from rest_compat.deep import query as q
from rest_compat.deep.answer import BadInput
from rest_compat.deep.leads import common, file_of
from rest_compat.described import one_of, takes
from rest_compat.dialect import Answer, Call

ORDER = {
    "id": "NUMBER",
    "username": "USERNAME",
    "email": "EMAIL",
    "first_name": "FIRST_NAME",
    "last_name": "LAST_NAME",
    "date_joined": "CREATED_AT",
}
FILTERS = {
    "id": q.numbers("number"),
    "search": q.text("search", ""),
    "members_exclude_project": q.number("outsideProjectNumber"),
}


def wanted(call: Call) -> dict[str, Any]:
    """Which users."""
    where, order = q.filters(call.query, FILTERS), q.order(call.query, ORDER, "-date_joined")
    return {"where": where, "order": order, **q.page(call)}


def nothing(_: Call) -> dict[str, Any]:
    """For operations without variables."""
    return {}


def named(call: Call) -> dict[str, Any]:
    """The user in the path."""
    return {"where": {"number": {"eq": g.number(call)}}, "first": 1, "offset": 0}


PASSWORDS = {
    "old_password": ("currentPassword", g.text(blank=False)),
    "new_password": ("newPassword", g.text(blank=False)),
}


def new_password(call: Call) -> dict[str, Any]:
    """A new password of the caller, and the one until now."""
    return {"input": g.members(call.body, PASSWORDS, tuple(PASSWORDS))}


def password_changed(_: Any, __: Call) -> Answer:
    """Nothing to show."""
    return Answer(200, {})


def user(row: Any, _: Call) -> dict[str, Any]:
    """A user."""
    return {
        "id": row["id"],
        "username": row["username"],
        "email": row["email"],
        "firstName": row["firstName"] or "",
        "lastName": row["lastName"] or "",
        "displayName": row["displayName"],
        "displayPicture": None,
        "displayPictureUrl": None,
        "organization": "",
        "language": "en-us",
        "emailOptOuts": [],
        "lastActiveProject": None,
    }


def page(data: Any, call: Call) -> dict[str, Any]:
    """A page of users."""
    return q.listed(data, call, user)


def one(data: Any, call: Call) -> dict[str, Any]:
    """One user."""
    found = data["list"]["nodes"]
    if not found:
        raise NotFound("There is no such user.")
    return user(found[0], call)


def me(data: Any, call: Call) -> dict[str, Any]:
    """The caller."""
    if data["me"] is None:
        raise NotFound("The key stands for no user.")
    return user(data["me"], call)


def preferences(data: Any, call: Call) -> dict[str, Any]:
    """What the caller's client needs to know at its start."""
    told = me(data, call)
    kept = {n: told[n] for n in ("displayName", "username", "email", "language")}
    return {**kept, "isSuperuser": data["me"]["isOwner"], "accessibleFeatures": []}


GROUP = {
    "title": ("title", g.text(blank=False, most=255)),
    "description": ("description", g.text()),
    "custom_project_fields": ("data", g.free),
}


GROUP_ORDER = {
    "id": "NUMBER",
    "title": "TITLE",
    "created_at": "CREATED_AT",
    "modified_at": "UPDATED_AT",
}


def wanted_groups(call: Call) -> dict[str, Any]:
    """Which groups."""
    filters = {"id": q.numbers("number"), "title": q.text("title", "contains")}
    where = q.filters(call.query, {**filters, "search": q.text("title", "contains")})
    return {"where": where, "order": q.order(call.query, GROUP_ORDER, q.NEWEST), **q.page(call)}


def by_path(call: Call) -> dict[str, Any]:
    """The group in the path."""
    return {"by": g.by(call)}


def new_group(call: Call) -> dict[str, Any]:
    """A new group."""
    return {"input": g.members(call.body, GROUP, ("title",))}


def group_changes(call: Call) -> dict[str, Any]:
    """What is to change of a group."""
    required = ("title",) if call.method == "PUT" else ()
    return {"input": {"by": g.by(call), **g.members(call.body, GROUP, required)}}


def member(row: Any) -> dict[str, Any]:
    """A member of a group."""
    return {
        "id": row["id"],
        "member": row["userNumber"],
        "memberName": row["userName"],
        "memberEmail": (row["user"] or {}).get("email"),
        "group": (row["group"] or {}).get("id"),
        "role": "admin" if row["isAdmin"] else "normal",
        "joinedAt": row["joinedAt"],
    }


def group(row: Any, _: Call) -> dict[str, Any]:
    """A group."""
    if row is None:
        raise NotFound("There is no such group.")
    members = [member(one) for one in row["members"]]
    return {
        "id": row["id"],
        "title": row["title"],
        "description": row["description"],
        "displayPicture": None,
        "role": "admin" if row["viewerIsAdmin"] else "normal",
        "memberships": members,
        "membersCount": len(members),
        "globalCrisisMonitoring": False,
        "customProjectFields": row["data"] or None,
        "createdAt": row["createdAt"],
        "modifiedAt": row["modifiedAt"],
        "createdBy": (row["createdBy"] or {}).get("id"),
        "modifiedBy": (row["modifiedBy"] or {}).get("id"),
        "clientId": row["clientId"],
        "versionId": row["versionId"],
    }


def groups(data: Any, call: Call) -> dict[str, Any]:
    """A page of groups."""
    return q.listed(data, call, group)


def one_group(data: Any, call: Call) -> dict[str, Any]:
    """The group of a read."""
    return group(data["userGroup"], call)


def group_members(data: Any, call: Call) -> dict[str, Any]:
    """Members of a group."""
    return q.of_list(group(data["userGroup"], call)["memberships"], call)


def made_group(data: Any, call: Call) -> Answer:
    """A new group."""
    return Answer(201, group(data["payload"]["userGroup"], call))


def changed_group(data: Any, call: Call) -> dict[str, Any]:
    """A group after a change."""
    return group(data["payload"]["userGroup"], call)


def gone_group(call: Call) -> dict[str, Any]:
    """A group to delete."""
    return {"input": {"by": g.by(call)}}


MEMBER_FILTERS = {
    "id": q.numbers("number"),
    "group": q.numbers("groupNumber"),
    "member": q.numbers("userNumber"),
}
MEMBER_ORDER = {"id": "NUMBER", "joined_at": "CREATED_AT"}


def wanted_members(call: Call) -> dict[str, Any]:
    """Which members of groups."""
    where, order = q.filters(call.query, MEMBER_FILTERS), q.order(call.query, MEMBER_ORDER)
    return {"where": where, "order": order, **q.page(call)}


def members(data: Any, call: Call) -> dict[str, Any]:
    """A page of members of groups."""
    return q.listed(data, call, lambda row, _: member(row))


def one_member(data: Any, _: Call) -> dict[str, Any]:
    """One member of a group."""
    found = data["list"]["nodes"]
    if not found:
        raise NotFound("There is no such member.")
    return member(found[0])


ROLES = {"admin": True, "normal": False}


@takes(one_of(ROLES))
def _is_admin(value: Any) -> bool:
    return ROLES[g.choice({name: name for name in ROLES})(value)]


MEMBER: dict[str, tuple[str, g.Check]] = {
    "group": ("group", g.key),
    "member": ("userNumber", g.key),
    "role": ("isAdmin", _is_admin),
}


def member_changes(call: Call) -> dict[str, Any]:
    """Another part of a member; of which group a PUT says it is stays what it was."""
    required = ("role",) if call.method == "PUT" else ()
    found = g.members(call.body, {"role": ("isAdmin", _is_admin)}, required)
    return {"input": {"number": g.number(call), **found}}


def changed_member(data: Any, _: Call) -> dict[str, Any]:
    """A member after a change."""
    return member(data["payload"]["member"])


def new_member(call: Call) -> dict[str, Any]:
    """A user who joins a group."""
    found = g.members(call.body, MEMBER, ("group", "member"))
    return {"input": {**found, "group": {"number": found["group"]}}}


def made_member(data: Any, _: Call) -> Answer:
    """A new member of a group."""
    return Answer(201, member(data["payload"]["member"]))


def gone_member(call: Call) -> dict[str, Any]:
    """Who leaves a group."""
    return {"input": {"number": g.number(call)}}


def new_file(call: Call) -> dict[str, Any]:
    """A file that came with the request."""
    sent = call.files.get("file")
    if sent is None:
        raise BadInput({"file": ["No file was submitted."]})
    known = {
        "title": ("title", g.text(most=255)),
        "is_public": ("isPublic", g.flag),
        "client_id": ("clientId", g.client_key),
    }
    found = g.members(call.body, known)
    return {"input": {**found, "title": found.get("title") or sent.name, "upload": sent.upload}}


def file(row: Any, call: Call) -> dict[str, Any]:
    """A file as a resource."""
    if row is None:
        raise NotFound("There is no such file.")
    own = {"metadata": {"md5Hash": row["md5"]}, "isPublic": row["isPublic"], "uuid": row["uuid"]}
    return {**common(row), **file_of(row, call), **own, "projects": []}


def wanted_files(call: Call) -> dict[str, Any]:
    """Files that the caller has sent."""
    known = {"id": "NUMBER", "title": "TITLE", "created_at": "CREATED_AT"}
    where = q.filters(call.query, {"id": q.numbers("number"), "title": q.text("title", "contains")})
    return {"where": where, "order": q.order(call.query, known), **q.page(call)}


def files(data: Any, call: Call) -> dict[str, Any]:
    """A page of files."""
    return q.listed(data, call, file)


def one_file(data: Any, call: Call) -> dict[str, Any]:
    """The file of a read."""
    return file(data["attachment"], call)


def made_file(data: Any, call: Call) -> Answer:
    """A new file."""
    return Answer(201, file(data["payload"]["attachment"], call))


def gone_file(call: Call) -> dict[str, Any]:
    """A file to delete."""
    return {"input": {"by": g.by(call)}}


def by_uuid(call: Call) -> dict[str, Any]:
    """The file in the path."""
    return {"by": {"uuid": call.path["uuid"]}}


def content(data: Any, _: Call) -> Answer:
    """A file's bytes, which no browser shows as a page of ours."""
    row = data["attachment"]
    place = None if row is None else stored_file(row["uuid"])
    if place is None:
        raise NotFound("There is no such file.")
    headers = {
        "Content-Type": row["mimeType"],
        "Content-Disposition": "attachment",
        "X-Content-Type-Options": "nosniff",
    }
    return Answer(200, headers=headers, file=place)
