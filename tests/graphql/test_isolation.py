"""Two projects with the same data: nothing of the one is ever in an answer to the other's members.

The operations select every field that the schema has, some levels deep, so that a new relation is
covered without a word here.
"""

from collections.abc import Iterator
from dataclasses import dataclass

import httpx2
import pytest
from graphql import GraphQLObjectType, get_named_type, is_leaf_type
from starlette.applications import Starlette

from app.core.ids import global_id
from app.graphql.schema import build_schema
from tests.factories import rows
from tests.graphql.caller import Caller
from tests.graphql.selections import everything

SCHEMA = build_schema()._schema
QUERY = SCHEMA.query_type
assert isinstance(QUERY, GraphQLObjectType)


@dataclass
class Side:
    """One of the projects: its rows' names for operations, and all that may not leave it."""

    project: int
    keeper: int
    keepers_session: str
    names: dict[str, str]
    marks: set[str]
    never_shown: set[str]


async def make_side(tag: str, shared: int) -> Side:
    """A project in which everything that has a name has the tag in it."""
    project = await rows.project(f"{tag}project")
    keeper, other = await rows.user(f"{tag}keeper"), await rows.user(f"{tag}other")
    memberships = [
        await rows.member(project, keeper, "owner"),
        await rows.member(project, other, "viewer"),
        await rows.member(project, shared, "owner"),
    ]
    pipeline = await rows.pipeline(
        project, f"{tag}pipeline", created_by=keeper, variables={"v": f"{tag}variable"}
    )
    first = await rows.block(pipeline, f"{tag}first", content=f"# {tag}code")
    second = await rows.block(pipeline, f"{tag}second", [f"{tag}first"])
    hook = await rows.block(pipeline, f"{tag}hook", [f"{tag}first"], type="callback")
    trigger = await rows.trigger(pipeline, f"{tag}trigger", created_by=keeper)
    backfill = await rows.backfill(
        pipeline, f"{tag}backfill", trigger_id=trigger["id"], created_by=keeper
    )
    run = await rows.run(
        pipeline,
        trigger_id=trigger["id"],
        steps={f"{tag}first": "succeeded", f"{tag}second": "pending"},
        log=[f"{tag}line"],
        created_by=keeper,
    )
    file = await rows.project_file(project, f"{tag}file", f"{tag}text")
    earlier = await rows.project_file_version(file)
    secret = await rows.project_secret(project, f"{tag}secret")
    sync = {end: await rows.sync_end(end, project, f"{tag}{end}") for end in rows.ENDS}
    ends = {f"{end}_id": one for end, one in sync.items()}
    job = await rows.sync_job(project, f"{tag}job", created_by=keeper, **ends)
    task = await rows.sync_task(job, "succeeded", created_by=keeper)
    probe = await rows.probe(project)
    group, attachment = await rows.lead_group(project), await rows.attachment(keeper)
    lead = await rows.lead(
        project, f"{tag}lead", created_by=keeper, lead_group_id=group, attachment_id=attachment
    )
    users = await rows.user_group()
    user = await rows.group_member(users, keeper, is_admin=True)
    model = await rows.semantic_model(project, f"{tag}harbours")
    query = await rows.semantic_query(project, f"SELECT '{tag}query'")
    session, key = await rows.session(keeper), await rows.api_key(keeper, project_id=project)
    uuids = [(await rows.values_of(rows.pipelines, pipeline))["uuid"]]
    ids = {
        "Project": [project],
        "User": [keeper, other],
        "Membership": memberships,
        "Pipeline": [pipeline],
        "Block": [first, second, hook],
        "Trigger": [trigger["id"]],
        "Backfill": [backfill],
        "PipelineRun": [run.id],
        "RunStep": list(run.steps.values()),
        "Session": [session.id],
        "ApiKey": [key.id],
        "ProjectFile": [file],
        "ProjectFileVersion": [earlier],
        "ProjectSecret": [secret],
        "SyncSource": [sync["source"]],
        "SyncDestination": [sync["destination"]],
        "SyncJob": [job],
        "SyncStream": [await rows.stream_of(job, name) for name in ("calls", "ships", "docks")],
        "SyncTask": [task],
        "ProbeRun": [probe],
        "SyncWebhookRun": [await rows.sync_webhook(job)],
        "ProjectSettings": [project],
        "LeadGroup": [group],
        "Attachment": [attachment],
        "Lead": [lead],
        "UserGroup": [users],
        "UserGroupMember": [user],
        "JoinRequest": [await rows.join_request(project, await rows.user(f"{tag}guest"))],
        "SemanticModel": [model],
        "SemanticQuery": [query],
    }
    marks = {global_id(name, one) for name, those in ids.items() for one in those}
    never_shown = {str(run.id), session.token, key.token}
    marks |= {tag, trigger["token"], *never_shown, *uuids}
    names = {name: global_id(name, those[0]) for name, those in ids.items()}
    names |= {"uuid": uuids[0], "block": f"{tag}first", "trigger": str(trigger["id"])}
    names |= {"backfill": str(backfill), "job": str(job), "table": f"{tag}harbours"}
    names |= {"run": str(run.number), "project_uuid": await _project_uuid(project)}
    return Side(project, keeper, session.token, names, marks, never_shown)


async def _project_uuid(project: int) -> str:
    return str((await rows.values_of(rows.projects, project))["uuid"])


@dataclass
class Sides:
    """Theirs is read by ours; somebody belongs to both."""

    theirs: Side
    ours: Side
    both: int


@pytest.fixture(scope="module")
async def sides(app: Starlette) -> Sides:
    """Both projects, and a run of ours that says it was started by their trigger."""
    both = await rows.user("both")
    theirs, ours = await make_side("alfaalfa", both), await make_side("bravobravo", both)
    stray = await rows.pipeline(ours.project, "stray", created_by=theirs.keeper)
    await rows.run(stray, trigger_id=int(theirs.names["trigger"]), created_by=theirs.keeper)
    return Sides(theirs, ours, both)


ARGUMENTS: dict[str, list[str]] = {
    "me": [""],
    "roles": [""],
    "workers": [""],
    "users": ["", '(where: {username: {contains: "alfaalfa"}})'],
    "sessions": ["", "(allUsers: true)"],
    "apiKeys": ["", "(allUsers: true)", '(where: {name: {startsWith: "key"}})'],
    "projects": ["", '(where: {uuid: {eq: "$project_uuid"}})'],
    "project": ["", '(by: {id: "$Project"})', '(by: {uuid: "$project_uuid"})'],
    "pipelines": [
        "",
        '(projectId: "$Project")',
        '(where: {uuid: {in: ["$uuid"]}})',
        '(where: {not: {name: {eq: "stray"}}, hasTriggers: true})',
        '(where: {triggers: {name: {eq: "alfaalfatrigger"}}})',
    ],
    "pipeline": ['(by: {id: "$Pipeline"})', '(by: {uuid: "$uuid"})'],
    "block": ['(by: {id: "$Block"})', '(by: {path: {pipeline: "$uuid", block: "$block"}})'],
    "blocks": [
        "",
        '(projectId: "$Project")',
        '(where: {pipeline: {uuid: {eq: "$uuid"}}, uuid: {eq: "$block"}})',
    ],
    "triggers": [
        "",
        '(projectId: "$Project")',
        '(where: {pipelineUuid: {eq: "$uuid"}})',
        "(where: {number: {eq: $trigger}})",
    ],
    "trigger": ['(by: {id: "$Trigger"})', "(by: {number: $trigger})"],
    "backfills": [
        "",
        '(projectId: "$Project")',
        '(where: {pipelineUuid: {eq: "$uuid"}})',
        "(where: {number: {eq: $backfill}})",
    ],
    "backfill": ['(by: {id: "$Backfill"})', "(by: {number: $backfill})"],
    "pipelineRuns": [
        "",
        '(projectId: "$Project")',
        '(where: {pipelineUuid: {eq: "$uuid"}})',
        '(where: {pipeline: {uuid: {eq: "$uuid"}}})',
        "(where: {triggerNumber: {eq: $trigger}})",
    ],
    "pipelineRun": ['(by: {id: "$PipelineRun"})', "(by: {number: $run})"],
    "runs": ["", '(projectId: "$Project")'],
    "run": ['(id: "$PipelineRun")'],
    "runSteps": [
        "",
        '(projectId: "$Project")',
        '(where: {name: {eq: "$block"}})',
        '(where: {pipelineUuid: {eq: "$uuid"}})',
    ],
    "runStep": ['(id: "$RunStep")'],
    "projectFiles": ["", '(projectId: "$Project")', '(where: {path: {contains: "alfaalfa"}})'],
    "projectSecrets": ["", '(projectId: "$Project")'],
    "connectors": [""],
    "connector": ['(by: {kind: SOURCE, type: "postgres"})'],
    "connectorSpec": ['(by: {kind: SOURCE, type: "postgres"})'],
    "syncSources": ["", '(projectId: "$Project")', '(where: {name: {eq: "alfaalfasource"}})'],
    "syncSource": ['(by: {id: "$SyncSource"})'],
    "syncDestinations": ["", '(projectId: "$Project")'],
    "syncDestination": ['(by: {id: "$SyncDestination"})'],
    "syncJobs": [
        "",
        '(projectId: "$Project")',
        '(where: {source: {name: {eq: "alfaalfasource"}}})',
        "(where: {number: {eq: $job}})",
    ],
    "syncJob": ['(by: {id: "$SyncJob"})', "(by: {number: $job})"],
    "syncTasks": ["", '(projectId: "$Project")', "(where: {jobNumber: {eq: $job}})"],
    "syncTask": ['(by: {id: "$SyncTask"})'],
    "projectSettings": ["", '(projectId: "$Project")'],
    "syncNameIsFree": ['(entity: JOB, name: "alfaalfajob", projectId: "$Project")'],
    "syncJobStreamDifference": ["(by: {number: $job}, streamsConfig: {})"],
    "semanticModel": ["", '(projectId: "$Project")'],
    "semanticModels": ["", '(projectId: "$Project")'],
    "semanticQueries": ["", '(projectId: "$Project")'],
    "semanticMeta": ["", '(project: {id: "$Project"})', '(project: {uuid: "$project_uuid"})'],
    "semanticQuery": [
        '(project: {id: "$Project"}, query: {measures: ["$table.count"]}, waitS: 0)',
    ],
    "semanticSql": ['(project: {id: "$Project"}, query: {measures: ["$table.count"]})'],
    "semanticDryRun": ['(project: {uuid: "$project_uuid"}, query: {dimensions: ["$table.city"]})'],
    "semanticModelFaults": ['(projectId: "$Project", files: {a: "b: 1"})'],
}
TYPES = (
    "Project",
    "User",
    "Membership",
    "Pipeline",
    "Block",
    "Trigger",
    "Backfill",
    "PipelineRun",
    "RunStep",
    "Session",
    "ApiKey",
    "ProjectFile",
    "ProjectFileVersion",
    "ProjectSecret",
    "SyncSource",
    "SyncDestination",
    "SyncJob",
    "SyncStream",
    "SyncTask",
    "ProjectSettings",
    "SemanticModel",
    "SemanticQuery",
)
ARGUMENTS |= {
    "leads": [
        "",
        '(projectId: "$Project")',
        '(where: {search: "alfaalfalead"})',
        '(where: {contains: "alfaalfalead"})',
        "(where: {hasDuplicates: false})",
    ],
    "lead": ['(by: {id: "$Lead"})'],
    "leadGroups": ["", '(projectId: "$Project")'],
    "leadGroup": ['(by: {id: "$LeadGroup"})'],
    "attachments": [""],
    "attachment": ['(by: {id: "$Attachment"})'],
    "organizations": [""],
    "organization": ["(by: {number: 1})"],
    "organizationTypes": [""],
    "userGroups": [""],
    "userGroupMembers": [""],
    "joinRequests": ["", "(where: {isOwn: false})"],
    "userGroup": ['(by: {id: "$UserGroup"})'],
}
ARGUMENTS["node"] = [f'(id: "${name}")' for name in TYPES]
ARGUMENTS["nodes"] = ["(ids: [" + ", ".join(f'"${name}"' for name in TYPES) + "])"]


def documents(named: Side, depth: int = 2) -> Iterator[str]:
    """Every way to read every root field, with the names of one side as arguments.

    The first way is followed into relations: what is read there does not depend on the arguments.
    """
    for field, variants in ARGUMENTS.items():
        for number, arguments in enumerate(variants):
            selection = _below(field, depth if number == 0 else 1, arguments)
            for name in sorted(named.names, key=len, reverse=True):
                arguments = arguments.replace(f"${name}", named.names[name])
            yield f"{{ {field}{arguments} {selection} }}"


def _below(field: str, depth: int, arguments: str = "") -> str:
    assert isinstance(QUERY, GraphQLObjectType)
    target = get_named_type(QUERY.fields[field].type)
    if is_leaf_type(target):
        return ""
    if target.name == "Node":
        # One type at a time: fields of the same name differ in type between types.
        named = [name for name in TYPES if f'"${name}"' in arguments]
        parts = [f"... on {name} {everything(SCHEMA, name, 0)}" for name in named[:1]]
        return "{ __typename id " + " ".join(parts) + " }"
    if not target.name.endswith("Connection"):
        return everything(SCHEMA, target.name, depth)
    assert isinstance(target, GraphQLObjectType)
    node = get_named_type(target.fields["nodes"].type)
    return f"{{ totalCount nodes {everything(SCHEMA, node.name, depth - 1)} edges {{ cursor }} }}"


def test_every_root_field_is_read() -> None:
    assert isinstance(QUERY, GraphQLObjectType)
    assert set(ARGUMENTS) == set(QUERY.fields)


async def test_nothing_of_their_project_is_in_any_answer(
    client: httpx2.AsyncClient, sides: Sides
) -> None:
    ours = Caller(client, sides.ours.keepers_session)
    for document in documents(sides.theirs):
        answer = await ours(document)
        assert set(answer.codes) <= {"NOT_FOUND"}, (document, answer.body)
        found = {mark for mark in sides.theirs.marks if mark in answer.text}
        assert not found, (document, found)


async def test_their_own_members_read_all_of_it(client: httpx2.AsyncClient, sides: Sides) -> None:
    theirs = Caller(client, sides.theirs.keepers_session)
    answers = [await theirs(document) for document in documents(sides.theirs)]
    assert not [answer.body for answer in answers if answer.codes]
    seen = {mark for mark in sides.theirs.marks for a in answers if mark in a.text}
    assert seen == sides.theirs.marks - sides.theirs.never_shown


async def test_a_cursor_of_theirs_opens_nothing(client: httpx2.AsyncClient, sides: Sides) -> None:
    theirs = Caller(client, sides.theirs.keepers_session)
    ours = Caller(client, sides.ours.keepers_session)
    for field in (
        "pipelines",
        "triggers",
        "backfills",
        "pipelineRuns",
        "runs",
        "runSteps",
        "users",
        "syncSources",
        "syncJobs",
        "syncTasks",
    ):
        first = await theirs(f"{{ {field}(first: 1) {{ edges {{ cursor }} }} }}")
        cursor = first.only["edges"][0]["cursor"]
        selection = _below(field, 1)
        answer = await ours(f'{{ {field}(after: "{cursor}") {selection} }}')
        assert not {mark for mark in sides.theirs.marks if mark in answer.text}


async def test_a_key_of_one_project_sees_nothing_of_its_users_other_project(
    client: httpx2.AsyncClient, sides: Sides
) -> None:
    key = await rows.api_key(sides.both, project_id=sides.ours.project)
    bound = Caller(client, key.token)
    for document in documents(sides.theirs):
        answer = await bound(document)
        found = {mark for mark in sides.theirs.marks if mark in answer.text}
        assert not found, (document, found)
    own = await bound("{ pipelines { nodes { uuid } } me { memberships { project { id } } } }")
    assert sides.ours.names["uuid"] in own.text
    assert own.data["me"]["memberships"] == [{"project": {"id": sides.ours.names["Project"]}}]


async def test_a_bound_key_of_an_installation_owner_opens_just_that_project(
    client: httpx2.AsyncClient, sides: Sides
) -> None:
    owner = await rows.user("boss", is_owner=True)
    key = await rows.api_key(owner, project_id=sides.ours.project)
    bound = Caller(client, key.token)
    own = await bound("{ pipelines { nodes { uuid } } project { viewerPermissions } }")
    assert sides.ours.names["uuid"] in own.text
    assert "project.delete" in own.data["project"]["viewerPermissions"]
    for document in documents(sides.theirs):
        answer = await bound(document)
        assert not {mark for mark in sides.theirs.marks if mark in answer.text}, document


async def test_a_key_has_no_more_than_its_scopes(client: httpx2.AsyncClient, sides: Sides) -> None:
    key = await rows.api_key(sides.ours.keeper, scopes=["pipeline.read"])
    scoped = Caller(client, key.token)
    answer = await scoped(
        "{ pipelines { nodes { uuid project { id } triggers { name token } } } project { id }"
        " projects { totalCount } users { totalCount } }"
    )
    assert sides.ours.names["uuid"] in answer.text
    assert answer.data["project"] is None
    assert answer.data["projects"]["totalCount"] == 0
    assert answer.data["users"]["totalCount"] == 1
    for pipeline in answer.data["pipelines"]["nodes"]:
        assert pipeline["project"] is None
        assert all(trigger["token"] is None for trigger in pipeline["triggers"])
    refused = await scoped('mutation { pipelineCreate(input: {name: "x"}) { errors { code } } }')
    assert refused.codes == ["NOT_FOUND"]


async def test_members_in_common_show_no_other_project(
    client: httpx2.AsyncClient, sides: Sides
) -> None:
    ours = Caller(client, sides.ours.keepers_session)
    answer = await ours(
        "{ users(first: 100) { nodes { username memberships { project { id } } } } }"
    )
    by_name = {user["username"]: user for user in answer.only["nodes"]}
    (shared,) = (name for name in by_name if name.startswith("both"))
    assert by_name[shared]["memberships"] == [{"project": {"id": sides.ours.names["Project"]}}]
    assert not any(name.startswith("alfaalfa") for name in by_name)


async def test_a_run_that_names_their_trigger_and_user_shows_neither(
    client: httpx2.AsyncClient, sides: Sides
) -> None:
    ours = Caller(client, sides.ours.keepers_session)
    answer = await ours(
        '{ pipelineRuns(where: {pipelineUuid: {eq: "stray"}}) '
        "{ nodes { trigger { id } createdBy { id } pipeline { createdBy { id } } } } }"
    )
    nothing = {"trigger": None, "createdBy": None, "pipeline": {"createdBy": None}}
    assert answer.only["nodes"] == [nothing]


async def test_missing_and_foreign_look_alike_to_every_mutation(
    client: httpx2.AsyncClient, sides: Sides
) -> None:
    ours = Caller(client, sides.ours.keepers_session)
    missing = {
        name: global_id(name, 999_999_999)
        for name in ("Project", "User", "Membership", "Pipeline", "Block", "Trigger", "Session")
    }
    for name in ("ProjectFile", "ProjectSecret"):
        missing[name] = global_id(name, 999_999_999)
    missing["Backfill"] = global_id("Backfill", 999_999_999)
    missing["ApiKey"] = global_id("ApiKey", 999_999_999)
    missing["PipelineRun"] = global_id("PipelineRun", "00000000-0000-7000-8000-000000000000")
    for name in ("SyncSource", "SyncDestination", "SyncJob", "SyncStream", "SemanticQuery"):
        missing[name] = global_id(name, 999_999_999)
    for name in ("Lead", "LeadGroup", "Attachment", "UserGroup"):
        missing[name] = global_id(name, 999_999_999)
    new_source = 'name: "x", type: "postgres", connectorVersion: "v1", config: {}'
    job = '{by: {id: "$SyncJob"}}'
    inputs = {
        "sessionDelete": '{id: "$Session"}',
        "userUpdate": '{id: "$User", firstName: "x"}',
        "userDelete": '{id: "$User"}',
        "passwordChange": '{userId: "$User", newPassword: "long enough"}',
        "apiKeyCreate": '{name: "x", projectId: "$Project"}',
        "apiKeyUpdate": '{id: "$ApiKey", name: "x"}',
        "apiKeyDelete": '{id: "$ApiKey"}',
        "projectUpdate": '{id: "$Project", name: "x"}',
        "projectDelete": '{id: "$Project"}',
        "membershipCreate": f'{{projectId: "$Project", userId: "{global_id("User", 1)}", role: "viewer"}}',
        "membershipUpdate": '{id: "$Membership", role: "viewer"}',
        "membershipDelete": '{id: "$Membership"}',
        "pipelineCreate": '{name: "x", projectId: "$Project"}',
        "pipelineUpdate": '{by: {id: "$Pipeline"}, description: "x"}',
        "pipelineDelete": '{by: {id: "$Pipeline"}}',
        "blockCreate": '{pipeline: {id: "$Pipeline"}, name: "x", type: CUSTOM}',
        "blockUpdate": '{by: {id: "$Block"}, content: "x"}',
        "blockDelete": '{by: {id: "$Block"}}',
        "triggerCreate": '{pipeline: {id: "$Pipeline"}, name: "x"}',
        "triggerUpdate": '{by: {id: "$Trigger"}, name: "x"}',
        "triggerTokenRotate": '{by: {id: "$Trigger"}}',
        "triggerDelete": '{by: {id: "$Trigger"}}',
        "projectFileSet": '{path: "x", content: "x", projectId: "$Project"}',
        "projectFileDelete": '{by: {id: "$ProjectFile"}}',
        "projectSecretSet": '{name: "x", value: "x", projectId: "$Project"}',
        "projectSecretDelete": '{by: {id: "$ProjectSecret"}}',
        "backfillCreate": '{pipeline: {id: "$Pipeline"}}',
        "backfillUpdate": '{by: {id: "$Backfill"}, status: INITIAL}',
        "backfillDelete": '{by: {id: "$Backfill"}}',
        "pipelineRunCreate": '{of: {pipeline: {id: "$Pipeline"}}}',
        "pipelineRunCancel": '{by: {id: "$PipelineRun"}}',
        "pipelineRunRetry": '{by: {id: "$PipelineRun"}}',
        "pipelineRunsCancel": '{pipeline: {id: "$Pipeline"}}',
        "pipelineRunsRepeat": '{pipeline: {id: "$Pipeline"}, runs: []}',
        "pipelineRunsRetry": '{pipeline: {id: "$Pipeline"}}',
        "pipelineRunDelete": '{by: {id: "$PipelineRun"}}',
        "pipelineVariableSet": '{pipeline: {id: "$Pipeline"}, name: "x", value: 1}',
        "pipelineVariableDelete": '{pipeline: {id: "$Pipeline"}, name: "x"}',
        "syncSourceCreate": f'{{projectId: "$Project", {new_source}}}',
        "syncSourceUpdate": '{by: {id: "$SyncSource"}, name: "x"}',
        "syncSourceDelete": '{by: {id: "$SyncSource"}}',
        "syncSourceTest": '{by: {id: "$SyncSource"}}',
        "syncSourceDiscover": '{by: {id: "$SyncSource"}}',
        "syncDestinationCreate": f'{{projectId: "$Project", {new_source}}}',
        "syncDestinationUpdate": '{by: {id: "$SyncDestination"}, name: "x"}',
        "syncDestinationDelete": '{by: {id: "$SyncDestination"}}',
        "syncDestinationTest": '{by: {id: "$SyncDestination"}}',
        "syncJobCreate": '{projectId: "$Project", name: "x", source: {}, destination: {}}',
        "syncJobUpdate": '{by: {id: "$SyncJob"}, name: "x"}',
        "syncJobDelete": job,
        "syncJobStart": job,
        "syncJobCancel": job,
        "syncJobSetActive": '{by: {id: "$SyncJob"}, isActive: true}',
        "syncJobClearDestination": job,
        "syncStreamStateSet": '{id: "$SyncStream", state: {}}',
        "syncStreamStateReset": '{id: "$SyncStream"}',
        "projectSettingsUpdate": '{projectId: "$Project"}',
        "membershipBulk": '{projectId: "$Project", members: [{userNumber: 1}]}',
        "leadCreate": '{project: {id: "$Project"}, lead: {title: "x"}}',
        "leadUpdate": '{by: {id: "$Lead"}, lead: {title: "x"}}',
        "leadDelete": '{by: {id: "$Lead"}}',
        "leadBulk": '{delete: [{id: "$Lead"}]}',
        "leadCopy": '{leads: [{id: "$Lead"}], projects: [{id: "$Project"}]}',
        "leadGroupCreate": '{project: {id: "$Project"}, title: "x"}',
        "leadGroupUpdate": '{by: {id: "$LeadGroup"}, title: "x"}',
        "leadGroupDelete": '{by: {id: "$LeadGroup"}}',
        "attachmentDelete": '{by: {id: "$Attachment"}}',
        "userGroupUpdate": '{by: {id: "$UserGroup"}, title: "x"}',
        "userGroupDelete": '{by: {id: "$UserGroup"}}',
        "userGroupMemberSet": '{group: {id: "$UserGroup"}, userNumber: 1}',
        "projectJoin": '{project: {id: "$Project"}}',
        "projectJoinCancel": '{project: {id: "$Project"}}',
        "semanticModelCreate": '{projectId: "$Project", files: {a: "b"}}',
        "semanticQueryCancel": '{id: "$SemanticQuery"}',
    }
    mutation = SCHEMA.mutation_type
    assert mutation is not None
    without_id = {"sessionCreate", "userCreate", "projectCreate", "pipelineRunCreateByToken"}
    without_id |= {"userSignup", "organizationCreate", "attachmentCreate", "userGroupCreate"}
    without_id |= {"projectJoinAnswer", "userGroupMemberUpdate", "userGroupMemberDelete"}
    assert set(inputs) | without_id == set(mutation.fields)
    for field, text in inputs.items():
        told = []
        for names in (sides.theirs.names, missing):
            given = text
            for name in sorted(missing, key=len, reverse=True):
                given = given.replace(f"${name}", names[name])
            answer = await ours(f"mutation {{ {field}(input: {given}) {{ errors {{ code }} }} }}")
            (error,) = answer.body["errors"]
            told.append((error["message"], error["extensions"]["code"]))
        assert told[0] == told[1], field
