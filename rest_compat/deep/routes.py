"""Every path of DEEP's REST API that is served, and what is behind it."""

from pathlib import Path

from app.settings import Settings
from rest_compat.deep import answer, auth, body, groups, leads, people, projects
from rest_compat.deep.described import described
from rest_compat.dialect import Dialect, Route

V = "/api/v1"
SAME = {"/api/v2": V}
"""Another version of the API, which answers the same with links of its own."""
LEADS = f"{V}/leads/"
GROUPS = f"{V}/lead-groups/"
PROJECTS = f"{V}/projects/"
PROJECT = f"{V}/projects/{{id}}/"
WISH = f"{PROJECT}requests/{{request}}/"
MEMBERS = f"{PROJECT}project-memberships/"
BULK = f"{V}/project/{{project}}/leads/"
UNSLASHED = frozenset(
    {
        "leads",
        "sources",
        "lead-groups",
        "lead-copy",
        "projects",
        "project-roles",
        "user-groups",
        "group-memberships",
        "files",
        "organizations",
        "organization-types",
        "token",
    }
)
"""First words of paths that are ours without a slash at their end, too."""


# One line a route: a table that can be read beside the contract.
# fmt: off
def _of_leads(path: str) -> tuple[Route, ...]:
    one = f"{path}{{id}}/"
    return (
        Route("GET", path, "LeadList", leads.wanted, leads.page),
        Route("POST", path, "LeadCreateMany", leads.new_in_many, leads.made_in_many, when=leads.is_many),
        Route("POST", path, "LeadCreate", leads.new, leads.made),
        Route("POST", f"{path}filter/", "LeadList", leads.wanted_by_body, leads.page),
        Route("GET", one, "LeadDetail", people.by_path, leads.one),
        *(Route(m, one, "LeadUpdate", leads.changes, leads.changed) for m in ("PUT", "PATCH")),
        Route("DELETE", one, "LeadDelete", leads.gone, leads.nothing),
    )


CONTENT = (
    *_of_leads(LEADS),
    *_of_leads(f"{V}/sources/"),
    Route("POST", f"{V}/lead-copy/", "LeadCopy", leads.to_copy, leads.copied),
    Route("POST", f"{BULK}dry-bulk-delete/", None, people.nothing, leads.nothing_lost),
    Route("POST", f"{BULK}bulk-delete/", "LeadBulkDelete", leads.to_delete, leads.nothing),
    Route("GET", GROUPS, "LeadGroupList", groups.wanted_groups, groups.groups),
    Route("POST", GROUPS, "LeadGroupCreate", groups.new_group, groups.made_group),
    Route("GET", f"{GROUPS}{{id}}/", "LeadGroupDetail", people.by_path, groups.one_group),
    *(Route(m, f"{GROUPS}{{id}}/", "LeadGroupUpdate", groups.group_changes, groups.changed_group) for m in ("PUT", "PATCH")),
    Route("DELETE", f"{GROUPS}{{id}}/", "LeadGroupDelete", people.gone_group, leads.nothing),
    Route("GET", f"{V}/organizations/", "OrganizationList", groups.wanted_organizations, groups.organizations),
    Route("POST", f"{V}/organizations/", "OrganizationCreate", groups.new_organization, groups.made_organization),
    Route("GET", f"{V}/organizations/{{id}}/", "OrganizationDetail", people.by_path, groups.one_organization),
    Route("GET", f"{V}/organization-types/", "OrganizationTypes", people.nothing, groups.organization_types),
    Route("GET", f"{V}/files/", "FileList", people.wanted_files, people.files),
    Route("POST", f"{V}/files/", "FileCreate", people.new_file, people.made_file),
    Route("GET", f"{V}/files/{{id}}/", "FileDetail", people.by_path, people.one_file),
    Route("DELETE", f"{V}/files/{{id}}/", "FileDelete", people.gone_file, leads.nothing),
    Route("GET", "/private-file/{uuid}", "FileDetail", people.by_uuid, people.content),
    Route("GET", "/private-file/{uuid}/{name}", "FileDetail", people.by_uuid, people.content),
)
WORK = (
    Route("GET", PROJECTS, "ProjectList", projects.wanted, projects.page),
    Route("POST", PROJECTS, "ProjectCreate", projects.new, projects.made),
    Route("GET", f"{PROJECTS}member-of/", "ProjectList", projects.own, projects.page),
    Route("GET", PROJECT, "ProjectDetail", projects.named, projects.one),
    *(Route(m, PROJECT, "ProjectUpdate", projects.changes, projects.changed) for m in ("PUT", "PATCH")),
    Route("DELETE", PROJECT, "ProjectDelete", projects.gone, leads.nothing),
    Route("POST", f"{PROJECT}join/", "ProjectJoin", projects.to_join, projects.wished),
    Route("POST", f"{PROJECT}join/cancel/", "ProjectJoinCancel", projects.not_to_join, leads.nothing),
    Route("GET", f"{PROJECT}requests/", "ProjectRequests", projects.named, projects.wishes),
    Route("POST", f"{WISH}accept/", "ProjectJoinAnswer", projects.accepted, projects.answered),
    Route("POST", f"{WISH}reject/", "ProjectJoinAnswer", projects.rejected, projects.answered),
    *(Route("GET", path, "ProjectMembers", projects.named, projects.members) for path in (MEMBERS, f"{PROJECT}members/")),
    Route("POST", MEMBERS, "MembershipCreateMany", projects.new_members, projects.made_members, when=projects.is_many),
    Route("POST", MEMBERS, "MembershipCreate", projects.new_member, projects.made_member),
    Route("GET", f"{MEMBERS}{{member}}/", "ProjectMembers", projects.named, projects.a_member),
    *(Route(m, f"{MEMBERS}{{member}}/", "MembershipUpdate", projects.member_changes, projects.changed_member) for m in ("PUT", "PATCH")),
    Route("DELETE", f"{MEMBERS}{{member}}/", "MembershipDelete", projects.gone_member, leads.nothing),
    Route("GET", f"{V}/project-roles/", "Roles", people.nothing, projects.roles),
)
PEOPLE = (
    Route("GET", f"{V}/users/", "UserList", people.wanted, people.page),
    Route("GET", f"{V}/users/me/", "Me", people.nothing, people.me),
    Route("GET", f"{V}/users/me/preferences/", "Me", people.nothing, people.preferences),
    Route("GET", f"{V}/users/me/notifications/", "WishesToAnswer", projects.page_of_notifications, projects.notifications),
    Route("POST", f"{V}/users/me/change-password/", "PasswordChange", people.new_password, people.password_changed),
    Route("GET", f"{V}/users/{{id}}/", "UserList", people.named, people.one),
    Route("GET", f"{V}/user-groups/", "UserGroupList", people.wanted_groups, people.groups),
    Route("POST", f"{V}/user-groups/", "UserGroupCreate", people.new_group, people.made_group),
    Route("GET", f"{V}/user-groups/member-of/", "UserGroupList", people.wanted_groups, people.groups),
    Route("GET", f"{V}/user-groups/{{id}}/", "UserGroupDetail", people.by_path, people.one_group),
    *(Route(m, f"{V}/user-groups/{{id}}/", "UserGroupUpdate", people.group_changes, people.changed_group) for m in ("PUT", "PATCH")),
    Route("DELETE", f"{V}/user-groups/{{id}}/", "UserGroupDelete", people.gone_group, leads.nothing),
    Route("GET", f"{V}/user-groups/{{id}}/memberships/", "UserGroupDetail", people.by_path, people.group_members),
    Route("GET", f"{V}/group-memberships/", "UserGroupMemberList", people.wanted_members, people.members),
    Route("GET", f"{V}/group-memberships/{{id}}/", "UserGroupMemberList", people.named, people.one_member),
    *(Route(m, f"{V}/group-memberships/{{id}}/", "UserGroupMemberUpdate", people.member_changes, people.changed_member) for m in ("PUT", "PATCH")),
    Route("POST", f"{V}/group-memberships/", "UserGroupMemberSet", people.new_member, people.made_member),
    Route("DELETE", f"{V}/group-memberships/{{id}}/", "UserGroupMemberDelete", people.gone_member, leads.nothing),
)
ACCESS = (
    Route("POST", f"{V}/login/", "SignIn", auth.to_sign_in, auth.signed_in, "none"),
    Route("POST", f"{V}/logout/", "SignOut", people.nothing, auth.signed_out),
    Route("POST", f"{V}/token/", "SignIn", auth.credentials, auth.token, "none"),
)
# fmt: on


def dialect(settings: Settings) -> Dialect:
    """DEEP's surface."""
    return Dialect(
        name="deep",
        prefix="",
        documents=Path(__file__).parent / "documents",
        routes=(*CONTENT, *WORK, *PEOPLE, *ACCESS),
        not_offered=(),
        owns=owns,
        also=SAME,
        identify=auth.identify_caller,
        faults=answer.fault,
        read=body.read,
        before=answer.redirect,
        finish=answer.finish,
        described=described(settings),
    )


def owns(method: str, path: str) -> bool:
    """What is below /api/v1 with a slash at its end, and some paths that lack it.

    `/api/v1/users` without the slash is OLake's. The pages of documentation are all dialects'.
    """
    if path.startswith("/private-file/"):
        return True
    for theirs, ours in SAME.items():
        if path.startswith(f"{theirs}/"):
            path = ours + path.removeprefix(theirs)
    if not path.startswith(f"{V}/") or path == f"{V}/docs/":
        return False
    if path.endswith("/"):
        return True
    parts = path.split("/")
    of_leads = parts[3:4] == ["project"] and parts[5:6] == ["leads"]
    return parts[3] in UNSLASHED or (of_leads and parts[4].isdigit())
