"""What DEEP's routes read, for their documentation; a test compares it with what they do read."""

from collections.abc import Iterable, Mapping
from typing import Any

from app.settings import Settings
from rest_compat.deep import auth, groups, leads, people, projects
from rest_compat.deep import given as g
from rest_compat.deep import query as q
from rest_compat.deep import words as w
from rest_compat.described import (
    FLAG,
    INTEGER,
    INTEGERS,
    TEXT,
    Body,
    Described,
    JsonSchema,
    Parameter,
    one_of,
    taken_by,
)
from rest_compat.openapi.seen import ANY

_BODIES = (
    " Paths end with a slash. Bodies are JSON, and may be forms; their members are in camel case,"
    " and may be in snake case."
)
ABOUT = {
    "documented": (
        f"The REST API of DEEP, as it is documented.{_BODIES} `X-Deep-Dialect: server` asks for"
        " answers in the form of its server of October 2024, which is not described here."
    ),
    "server": (
        f"The REST API of DEEP, as its server of October 2024 has it.{_BODIES}"
        " `X-Deep-Dialect: documented` asks for answers as they are documented, which is not"
        " described here."
    ),
}
_NUMBER = {"type": "integer", "minimum": 1, "maximum": 2**31 - 1}
_PATH = ("id", "project", "member", "request")


def _page(default: int = q.DEFAULT, most: int = q.MOST) -> tuple[Parameter, ...]:
    return (
        Parameter("limit", INTEGER, f"How many rows: {default} unless given, at most {most}."),
        Parameter("offset", INTEGER, "How many rows to leave out before them."),
        Parameter("after", TEXT, "Where a link of ours goes on; goes with the link's `offset`."),
    )


PAGE = _page()
VERSION = (
    Parameter(
        "If-Match",
        {**TEXT, "examples": ['"1"', '"2"']},
        "The `versionId` that is to be changed: with another one nothing is.",
        "header",
    ),
)
SEARCH = Parameter("search", TEXT, "A piece of text.")
_NAMED = (Parameter("id", taken_by(q.numbers("")), "Ids, separated by commas."), Parameter("title"))
NAMED_ORDER = ("id", "title", "created_at")
"""By what lists of named things are ordered."""


def _ordering(names: Iterable[str]) -> Parameter:
    known = list(names)
    text = f"Separated by commas, with a minus before those that fall: {', '.join(known)}."
    return Parameter("ordering", {**TEXT, "examples": [f"-{known[0]}", known[0]]}, text)


def _filters(known: Mapping[str, Any]) -> tuple[Parameter, ...]:
    return tuple(Parameter(name, taken_by(make)) for name, make in known.items())


LEADS = _filters(leads.FILTERS)
LEAD_LIST = (*LEADS, _ordering(leads.ORDER), *PAGE)
GROUP_LIST = (*_filters(groups.GROUP_FILTERS), _ordering(groups.GROUP_ORDER), *_page(10, 15))
ORGANIZATION_LIST = (
    *_filters(groups.ORGANIZATION_FILTERS),
    _ordering(NAMED_ORDER),
    *_page(10, 15),
)
PROJECT_LIST = (*_filters(projects.FILTERS), SEARCH, _ordering(projects.ORDER), *PAGE)
USER_LIST = (*_filters(people.FILTERS), _ordering(people.ORDER), *PAGE)
USER_GROUP_LIST = (*_NAMED, SEARCH, _ordering(people.GROUP_ORDER), *PAGE)
MEMBER_LIST = (*_filters(people.MEMBER_FILTERS), _ordering(people.MEMBER_ORDER), *PAGE)
NAMED_LIST = (*_NAMED, _ordering(NAMED_ORDER), *PAGE)
WHOLE_LISTS = (
    groups.organization_types,
    people.group_members,
    projects.notifications,
    projects.members,
    projects.wishes,
    projects.roles,
)
COMMON = (
    Parameter("fields", TEXT, "Only these members, in snake case and separated by commas."),
    Parameter("omit", TEXT, "Without these members."),
)


def _members(known: Mapping[str, tuple[str, g.Check]]) -> dict[str, JsonSchema]:
    """Members of a body, in camel case."""
    return {w.camel(name): taken_by(check) for name, (_, check) in known.items()}


def _sought() -> dict[str, JsonSchema]:
    """The filters of leads in a body."""
    taken = {"type": ["string", "array", "integer", "null"]}
    return {w.camel(one.name): taken for one in (*LEADS, _ordering(leads.ORDER))}


_TITLE_AND_PROJECT = ("title", "project")
_MEMBER = _members(projects.MEMBER)
_SIGN_IN = {"email": TEXT, "username": TEXT, "password": TEXT}
_PRIVATE = {**FLAG, "description": "Is refused: it never changes."}
_ROLE = {
    "type": ["string", "integer"],
    "examples": ["normal", "admin"],
    "description": "The number of a role, `normal` or `admin`.",
}
_FILE = {"type": "string", "format": "binary"}
BODIES = {
    leads.new: Body({}, _members(leads.NEW), needed=_TITLE_AND_PROJECT),
    leads.new_in_many: Body({}, _members(leads.NEW), needed=_TITLE_AND_PROJECT),
    leads.changes: Body({}, _members(leads.CHANGED)),
    leads.wanted_by_body: Body({}, _sought()),
    leads.to_copy: Body(
        {}, {"leads": INTEGERS, "projects": INTEGERS}, needed=("leads", "projects")
    ),
    leads.to_delete: Body({}, {"leads": INTEGERS}, needed=("leads",)),
    groups.new_group: Body({}, _members(groups.GROUP), needed=_TITLE_AND_PROJECT),
    groups.group_changes: Body({}, _members(groups.GROUP)),
    groups.new_organization: Body({}, _members(groups.ORGANIZATION), needed=("title",)),
    people.new_group: Body({}, _members(people.GROUP), needed=("title",)),
    people.group_changes: Body({}, _members(people.GROUP)),
    people.new_member: Body({}, _members(people.MEMBER), needed=("group", "member")),
    people.member_changes: Body({}, {"role": one_of(people.ROLES)}),
    people.new_password: Body(
        {}, _members(people.PASSWORDS), needed=("oldPassword", "newPassword")
    ),
    people.new_file: Body(
        {},
        {
            "file": _FILE,
            "title": {**TEXT, "maxLength": 255},
            "isPublic": FLAG,
            "clientId": {**TEXT, "maxLength": 128},
        },
        needed=("file",),
        media="multipart/form-data",
    ),
    projects.new: Body({}, _members(projects.NEW | projects.REFUSED), needed=("title",)),
    projects.changes: Body(
        {}, {**_members(projects.MEMBERS | projects.REFUSED), "isPrivate": _PRIVATE}
    ),
    projects.new_member: Body({}, _MEMBER, needed=("member",)),
    projects.new_members: Body(
        {},
        {"list": {"type": "array", "items": {"type": "object", "properties": _MEMBER}}},
        needed=("list",),
    ),
    projects.member_changes: Body({}, {"role": INTEGER}, needed=("role",)),
    projects.to_join: Body({}, {"reason": {"type": ["string", "null"], "maxLength": 1000}}),
    projects.accepted: Body({}, {"role": _ROLE}),
    auth.credentials: Body({}, _SIGN_IN, needed=("password",)),
    auth.to_sign_in: Body({}, _SIGN_IN, needed=("password",)),
}
_PERMISSIONS = (
    "lead.read",
    "lead.write",
    "lead.read_unprotected",
    "project.write",
    "project.delete",
)
_ROLES = (*w.ROLES, "other")


def described(settings: Settings) -> Described:
    """DEEP's facts, in the dialect that is answered in without a caller's wish."""
    session = f"deep-{settings.door.deep_environment}-sessionid"
    return Described(
        title="DEEP",
        text=ABOUT[settings.door.deep_dialect],
        parameters={
            leads.wanted: LEAD_LIST,
            leads.wanted_by_body: PAGE,
            groups.wanted_groups: GROUP_LIST,
            groups.wanted_organizations: ORGANIZATION_LIST,
            people.wanted: USER_LIST,
            people.wanted_groups: USER_GROUP_LIST,
            people.wanted_members: MEMBER_LIST,
            people.wanted_files: NAMED_LIST,
            projects.wanted: PROJECT_LIST,
            projects.own: PROJECT_LIST,
            leads.changes: VERSION,
            leads.gone: VERSION,
            groups.group_changes: VERSION,
            projects.changes: VERSION,
            **dict.fromkeys(WHOLE_LISTS, PAGE),
        },
        bodies=BODIES,
        path=dict.fromkeys(_PATH, _NUMBER),
        common=COMMON,
        security={
            "deep.basic": {"type": "http", "scheme": "basic"},
            "deep.bearer": {"type": "http", "scheme": "bearer"},
            "deep.cookie": {"type": "apiKey", "in": "cookie", "name": session},
            "deep.csrf": {
                "type": "apiKey",
                "in": "header",
                "name": "X-CSRFToken",
                "description": "The other cookie of the session, with calls that change something.",
            },
        },
        needs={
            "token": (
                {"deep.basic": ()},
                {"deep.bearer": ()},
                {"deep.cookie": (), "deep.csrf": ()},
            )
        },
        known={
            "Role.name": _ROLES,
            "Role.permissions": _PERMISSIONS,
            "Project.viewerRole": (*_ROLES, None),
            "LeadCopies.projectNumber": (ANY,),
            # The one that the path of a sampled request names.
            "Membership.number": (7002, 7102),
        },
        reasons=(
            ("UNAUTHENTICATED", "WRONG_BASIC"),
            ("NOT_FOUND", "UNKNOWN_PATH"),
            ("FORBIDDEN", "CSRF"),
        ),
        codes=("NOT_ACCEPTABLE", "UNSUPPORTED_MEDIA_TYPE"),
        read=w.snaked,
        files={people.content: "*/*"},
    )
