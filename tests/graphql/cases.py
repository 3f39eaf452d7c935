"""A real operation for every root field, with fresh rows for it to work on."""

from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from dataclasses import dataclass
from typing import Any

from app.content.staging import stage
from app.content.tables import organization_types
from app.core.ids import global_id
from app.core.rules import Subject
from app.projects.tables import projects
from app.runs.tables import runs, workers
from tests.factories import rows
from tests.graphql.world import PASSWORD, World

Variables = Mapping[str, Any]
Make = Callable[[World, str], Awaitable[tuple[Variables, str]]]


@dataclass(frozen=True)
class Case:
    """One row of the matrix.

    `make` inserts what the operation needs and returns its variables and, for reads, the global id
    that an answer must contain to count as allowed.
    """

    field: str
    document: str
    make: Make
    variant: str = ""

    @property
    def name(self) -> str:
        """As the table has it."""
        return f"{self.field} ({self.variant})" if self.variant else self.field


CASES: list[Case] = []


def _case(field: str, document: str, variant: str = "") -> Callable[[Make], Make]:
    def wrap(make: Make) -> Make:
        CASES.append(Case(field, document, make, variant))
        return make

    return wrap


def _mutation(name: str, selection: str, variant: str = "") -> Callable[[Any], Any]:
    """A mutation; its function returns the input."""
    input_type = name[0].upper() + name[1:] + "Input"
    if name == "triggerTokenRotate":
        input_type = "TriggerDeleteInput"
    document = (
        f"mutation($i: {input_type}!) "
        f"{{ {name}(input: $i) {{ {selection} errors {{ message code path }} }} }}"
    )

    def wrap(make_input: Callable[[World, str], Awaitable[Variables]]) -> Any:
        async def make(world: World, caller: str) -> tuple[Variables, str]:
            return {"i": await make_input(world, caller)}, ""

        CASES.append(Case(name, document, make, variant))
        return make_input

    return wrap


def _is_known(caller: str) -> bool:
    return caller not in ("anonymous", "installation key")


# --- who is who ------------------------------------------------------------------------------


@_case("me", "{ me { id } }")
async def _me(world: World, caller: str) -> tuple[Variables, str]:
    return {}, global_id("User", world.users.get(caller))


@_case("roles", "{ roles { id name } }")
async def _roles(_: World, __: str) -> tuple[Variables, str]:
    return {}, global_id("Role", 1)


@_case("users", "{ users(first: 100) { nodes { id } } }", "co-member")
async def _users(world: World, _: str) -> tuple[Variables, str]:
    return {}, global_id("User", world.victim)


@_case("users", "{ users(first: 100) { nodes { id } } }", "outsider")
async def _users_outside(world: World, _: str) -> tuple[Variables, str]:
    return {}, global_id("User", world.users["installation owner"])


@_case("sessions", "{ sessions(first: 100) { nodes { id } } }", "own")
async def _sessions(world: World, caller: str) -> tuple[Variables, str]:
    session = await rows.session(world.users.get(caller, world.victim))
    return {}, global_id("Session", session.id)


@_case("sessions", "{ sessions(allUsers: true, first: 100) { nodes { id } } }", "another's")
async def _all_sessions(world: World, _: str) -> tuple[Variables, str]:
    return {}, global_id("Session", world.victims_session)


@_case("apiKeys", "{ apiKeys(first: 100) { nodes { id } } }", "own")
async def _keys(world: World, caller: str) -> tuple[Variables, str]:
    key = await rows.api_key(world.users.get(caller, world.victim))
    return {}, global_id("ApiKey", key.id)


@_case("apiKeys", "{ apiKeys(allUsers: true, first: 100) { nodes { id } } }", "another's")
async def _all_keys(world: World, _: str) -> tuple[Variables, str]:
    return {}, global_id("ApiKey", world.victims_key)


@_mutation("sessionCreate", "session { id } user { id }")
async def _session_create(world: World, _: str) -> Variables:
    user = await rows.user(password_hash=world.password_hash)
    username = (await rows.values_of(rows.users, user))["username"]
    return {"login": username, "password": PASSWORD}


@_mutation("sessionDelete", "deletedId session { id }", "own")
async def _session_delete(world: World, caller: str) -> Variables:
    session = await rows.session(world.users.get(caller, world.victim))
    return {"id": global_id("Session", session.id)}


@_mutation("sessionDelete", "deletedId", "another's")
async def _session_delete_other(world: World, _: str) -> Variables:
    return {"id": global_id("Session", (await rows.session(world.victim)).id)}


@_mutation("userCreate", "user { id }")
async def _user_create(_: World, __: str) -> Variables:
    return {"username": rows.unique("new"), "password": PASSWORD}


@_mutation("userSignup", "user { id }")
async def _user_signup(_: World, __: str) -> Variables:
    return {"username": rows.unique("signed"), "password": PASSWORD}


@_mutation("userUpdate", "user { id }", "oneself")
async def _user_update(world: World, caller: str) -> Variables:
    return {"id": global_id("User", world.users.get(caller, world.victim)), "firstName": "New"}


@_mutation("userUpdate", "user { id }", "another")
async def _user_update_other(world: World, _: str) -> Variables:
    return {"id": global_id("User", world.victim), "firstName": "New"}


@_mutation("userDelete", "deletedId")
async def _user_delete(world: World, _: str) -> Variables:
    user = await rows.user()
    await rows.member(world.home, user, "viewer")
    return {"id": global_id("User", user)}


@_mutation("passwordChange", "user { id }", "own")
async def _password(_: World, __: str) -> Variables:
    return {"currentPassword": PASSWORD, "newPassword": PASSWORD}


@_mutation("passwordChange", "user { id }", "another's")
async def _password_other(world: World, _: str) -> Variables:
    user = await rows.user()
    await rows.member(world.home, user, "viewer")
    return {"userId": global_id("User", user), "newPassword": PASSWORD}


@_mutation("apiKeyCreate", "apiKey { id } token")
async def _key_create(_: World, __: str) -> Variables:
    return {"name": "key"}


@_mutation("apiKeyCreate", "apiKey { id } token", "for the project")
async def _key_create_bound(world: World, _: str) -> Variables:
    return {"name": "key", "projectId": global_id("Project", world.home)}


@_mutation("apiKeyUpdate", "apiKey { id }", "own")
async def _key_update(world: World, caller: str) -> Variables:
    key = await rows.api_key(world.users.get(caller, world.victim))
    return {"id": global_id("ApiKey", key.id), "name": "new name"}


@_mutation("apiKeyUpdate", "apiKey { id }", "another's")
async def _key_update_other(world: World, _: str) -> Variables:
    return {"id": global_id("ApiKey", world.victims_key), "name": "new name"}


@_mutation("apiKeyDelete", "deletedId", "own")
async def _key_delete(world: World, caller: str) -> Variables:
    key = await rows.api_key(world.users.get(caller, world.victim))
    return {"id": global_id("ApiKey", key.id)}


@_mutation("apiKeyDelete", "deletedId", "another's")
async def _key_delete_other(world: World, _: str) -> Variables:
    return {"id": global_id("ApiKey", (await rows.api_key(world.victim)).id)}


# --- projects --------------------------------------------------------------------------------


@_case("projects", "{ projects(first: 100) { nodes { id } } }")
async def _projects(world: World, _: str) -> tuple[Variables, str]:
    return {}, global_id("Project", world.home)


@_case("project", "query($id: ID!) { project(by: {id: $id}) { id } }")
async def _project(world: World, _: str) -> tuple[Variables, str]:
    return {"id": global_id("Project", world.home)}, global_id("Project", world.home)


@_case("project", "{ project { id } }", "of the call")
async def _own_project(world: World, caller: str) -> tuple[Variables, str]:
    return {}, global_id("Project", world.home)


@_mutation("projectCreate", "project { id }")
async def _project_create(_: World, __: str) -> Variables:
    return {"name": rows.unique("project")}


@_mutation("projectUpdate", "project { id }")
async def _project_update(world: World, _: str) -> Variables:
    return {"id": global_id("Project", world.home), "description": "new"}


@_mutation("projectDelete", "deletedId")
async def _project_delete(world: World, _: str) -> Variables:
    return {"id": global_id("Project", await world.project())}


@_mutation("membershipCreate", "membership { id }")
async def _member_create(world: World, _: str) -> Variables:
    user = global_id("User", await rows.user())
    return {"projectId": global_id("Project", world.home), "userId": user, "role": "viewer"}


@_mutation("membershipCreate", "membership { id }", "as owner")
async def _owner_create(world: World, _: str) -> Variables:
    user = global_id("User", await rows.user())
    return {"projectId": global_id("Project", world.home), "userId": user, "role": "owner"}


@_mutation("membershipUpdate", "membership { id }")
async def _member_update(world: World, _: str) -> Variables:
    made = await rows.member(world.home, await rows.user(), "viewer")
    return {"id": global_id("Membership", made), "role": "editor"}


@_mutation("membershipUpdate", "membership { id }", "of an owner")
async def _owner_update(world: World, _: str) -> Variables:
    made = await rows.member(world.home, await rows.user(), "owner")
    return {"id": global_id("Membership", made), "role": "editor"}


@_mutation("membershipDelete", "deletedId", "another's")
async def _member_delete(world: World, _: str) -> Variables:
    made = await rows.member(world.home, await rows.user(), "viewer")
    return {"id": global_id("Membership", made)}


@_mutation("membershipDelete", "deletedId", "own")
async def _member_leave(world: World, caller: str) -> Variables:
    project = await rows.project()
    await rows.member(project, world.victim, "owner")
    own = world.users.get(caller)
    user = await rows.user() if own is None or caller == "stranger" else own
    return {"id": global_id("Membership", await rows.member(project, user, "viewer"))}


# --- pipelines -------------------------------------------------------------------------------


@_case(
    "pipelines",
    "query($p: ID!) { pipelines(projectId: $p, first: 100, orderBy: [{field: NUMBER,"
    " direction: DESC}]) { nodes { id } } }",
)
async def _pipelines(world: World, _: str) -> tuple[Variables, str]:
    made = await world.pipeline()
    return {"p": global_id("Project", world.home)}, global_id("Pipeline", made)


@_case("pipeline", "query($id: ID!) { pipeline(by: {id: $id}) { id } }")
async def _pipeline(world: World, _: str) -> tuple[Variables, str]:
    made = global_id("Pipeline", await world.pipeline())
    return {"id": made}, made


@_case("pipeline", "query($u: String!) { pipeline(by: {uuid: $u}) { id } }", "by uuid")
async def _pipeline_by_uuid(world: World, _: str) -> tuple[Variables, str]:
    made = await world.pipeline()
    uuid = (await rows.values_of(rows.pipelines, made))["uuid"]
    return {"u": uuid}, global_id("Pipeline", made)


@_case("block", "query($id: ID!) { block(by: {id: $id}) { id } }")
async def _block(world: World, _: str) -> tuple[Variables, str]:
    made = global_id("Block", await rows.block(await world.pipeline(), "c"))
    return {"id": made}, made


@_case(
    "blocks",
    "query($p: ID!) { blocks(projectId: $p, first: 100, orderBy: [{field: NUMBER,"
    " direction: DESC}]) { nodes { id } } }",
)
async def _blocks(world: World, _: str) -> tuple[Variables, str]:
    made = await rows.block(await world.pipeline(), "c")
    return {"p": global_id("Project", world.home)}, global_id("Block", made)


@_case("triggers", "query($p: ID!) { triggers(projectId: $p, first: 100) { nodes { id } } }")
async def _triggers(world: World, _: str) -> tuple[Variables, str]:
    made = await rows.trigger(await world.pipeline())
    return {"p": global_id("Project", world.home)}, global_id("Trigger", made["id"])


@_case("trigger", "query($id: ID!) { trigger(by: {id: $id}) { id } }")
async def _trigger(world: World, _: str) -> tuple[Variables, str]:
    made = global_id("Trigger", (await rows.trigger(await world.pipeline()))["id"])
    return {"id": made}, made


@_case("trigger", "query($n: Int!) { trigger(by: {number: $n}) { id } }", "by number")
async def _trigger_by_number(world: World, _: str) -> tuple[Variables, str]:
    made = (await rows.trigger(await world.pipeline()))["id"]
    return {"n": made}, global_id("Trigger", made)


@_case(
    "pipelineRuns", "query($p: ID!) { pipelineRuns(projectId: $p, first: 100) { nodes { id } } }"
)
async def _pipeline_runs(world: World, _: str) -> tuple[Variables, str]:
    made = await rows.run(await world.pipeline())
    return {"p": global_id("Project", world.home)}, made.global_id


@_case("pipelineRun", "query($id: ID!) { pipelineRun(by: {id: $id}) { id } }")
async def _pipeline_run(world: World, _: str) -> tuple[Variables, str]:
    made = await rows.run(await world.pipeline())
    return {"id": made.global_id}, made.global_id


@_case("pipelineRun", "query($n: Int!) { pipelineRun(by: {number: $n}) { id } }", "by number")
async def _pipeline_run_by_number(world: World, _: str) -> tuple[Variables, str]:
    made = await rows.run(await world.pipeline())
    return {"n": made.number}, made.global_id


@_case("runs", "query($p: ID!) { runs(projectId: $p, first: 100) { nodes { id } } }")
async def _runs(world: World, _: str) -> tuple[Variables, str]:
    made = await rows.run(await world.pipeline())
    return {"p": global_id("Project", world.home)}, made.global_id


@_case("run", "query($id: ID!) { run(id: $id) { id } }")
async def _run(world: World, _: str) -> tuple[Variables, str]:
    made = await rows.run(await world.pipeline())
    return {"id": made.global_id}, made.global_id


@_case(
    "runSteps",
    "query($p: ID!) { runSteps(projectId: $p, first: 100, orderBy: [{field: NUMBER,"
    " direction: DESC}]) { nodes { id } } }",
)
async def _run_steps(world: World, _: str) -> tuple[Variables, str]:
    made = await rows.run(await world.pipeline(), steps={"a": "pending"})
    return {"p": global_id("Project", world.home)}, global_id("RunStep", made.steps["a"])


@_case("runStep", "query($id: ID!) { runStep(id: $id) { id } }")
async def _run_step(world: World, _: str) -> tuple[Variables, str]:
    made = await rows.run(await world.pipeline(), steps={"a": "pending"})
    step = global_id("RunStep", made.steps["a"])
    return {"id": step}, step


@_case("workers", "{ workers { id } }")
async def _workers(_: World, __: str) -> tuple[Variables, str]:
    made = await rows.row(workers, id=rows.unique("worker"), host="h", pid=1, version="1")
    return {}, global_id("Worker", made["id"])


@_mutation("pipelineCreate", "pipeline { id }")
async def _pipeline_create(world: World, _: str) -> Variables:
    return {"name": rows.unique("new"), "projectId": global_id("Project", world.home)}


@_mutation("pipelineCreate", "pipeline { id }", "as a copy")
async def _pipeline_clone(world: World, _: str) -> Variables:
    source = (await rows.values_of(rows.pipelines, await world.pipeline()))["uuid"]
    home = global_id("Project", world.home)
    return {"name": rows.unique("copy"), "cloneOf": source, "projectId": home}


@_mutation("pipelineUpdate", "pipeline { id }")
async def _pipeline_update(world: World, _: str) -> Variables:
    made = global_id("Pipeline", await world.pipeline())
    return {"by": {"id": made}, "description": "new"}


@_mutation("pipelineVariableSet", "pipeline { id }")
async def _variable_set(world: World, _: str) -> Variables:
    made = global_id("Pipeline", await world.pipeline())
    return {"pipeline": {"id": made}, "name": "color", "value": "red"}


@_mutation("pipelineVariableDelete", "pipeline { id }")
async def _variable_delete(world: World, _: str) -> Variables:
    made = await rows.pipeline(world.home, variables={"color": "red"})
    return {"pipeline": {"id": global_id("Pipeline", made)}, "name": "color"}


@_mutation("pipelineDelete", "deletedId")
async def _pipeline_delete(world: World, _: str) -> Variables:
    return {"by": {"id": global_id("Pipeline", await world.pipeline())}}


@_mutation("blockCreate", "block { id }")
async def _block_create(world: World, _: str) -> Variables:
    made = global_id("Pipeline", await world.pipeline())
    return {"pipeline": {"id": made}, "name": "c", "type": "CUSTOM"}


@_mutation("blockUpdate", "block { id }")
async def _block_update(world: World, _: str) -> Variables:
    made = await rows.block(await world.pipeline(), "c")
    return {"by": {"id": global_id("Block", made)}, "content": "new"}


@_mutation("blockDelete", "deletedId")
async def _block_delete(world: World, _: str) -> Variables:
    made = await rows.block(await world.pipeline(), "c")
    return {"by": {"id": global_id("Block", made)}}


@_mutation("triggerCreate", "trigger { id }")
async def _trigger_create(world: World, _: str) -> Variables:
    made = global_id("Pipeline", await world.pipeline())
    return {"pipeline": {"id": made}, "name": "new", "type": "API"}


async def _a_trigger(world: World) -> Variables:
    made = await rows.trigger(await world.pipeline())
    return {"by": {"id": global_id("Trigger", made["id"])}}


@_mutation("triggerUpdate", "trigger { id }")
async def _trigger_update(world: World, _: str) -> Variables:
    return {**await _a_trigger(world), "name": "new name"}


@_mutation("triggerTokenRotate", "trigger { id }")
async def _trigger_rotate(world: World, _: str) -> Variables:
    return await _a_trigger(world)


@_mutation("triggerDelete", "deletedId")
async def _trigger_delete(world: World, _: str) -> Variables:
    return await _a_trigger(world)


@_mutation("pipelineRunCreate", "run { id }", "of a trigger")
async def _run_create(world: World, _: str) -> Variables:
    made = await rows.trigger(await world.pipeline())
    return {"of": {"trigger": {"number": made["id"]}}}


@_mutation("pipelineRunCreate", "run { id }", "of a pipeline")
async def _run_create_bare(world: World, _: str) -> Variables:
    return {"of": {"pipeline": {"id": global_id("Pipeline", await world.pipeline())}}}


@_mutation("pipelineRunCreateByToken", "run { id }")
async def _run_by_token(world: World, _: str) -> Variables:
    made = await rows.trigger(await world.pipeline())
    return {"triggerNumber": made["id"], "token": made["token"]}


@_mutation("pipelineRunCancel", "run { id }")
async def _run_cancel(world: World, _: str) -> Variables:
    return {"by": {"id": (await rows.run(await world.pipeline())).global_id}}


@_mutation("pipelineRunRetry", "run { id }")
async def _run_retry(world: World, _: str) -> Variables:
    made = await rows.run(await world.pipeline(), status="failed", steps={"a": "failed"})
    return {"by": {"id": made.global_id}}


@_mutation("pipelineRunsCancel", "pipeline { id } count")
async def _runs_cancel(world: World, _: str) -> Variables:
    made = await world.pipeline()
    await rows.run(made)
    return {"pipeline": {"id": global_id("Pipeline", made)}}


@_mutation("pipelineRunsRepeat", "pipeline { id } count")
async def _runs_repeat(world: World, _: str) -> Variables:
    made = await world.pipeline()
    run = await rows.run(made, status="failed")
    return {"pipeline": {"id": global_id("Pipeline", made)}, "runs": [{"number": run.number}]}


@_mutation("pipelineRunsRetry", "pipeline { id } count")
async def _runs_retry(world: World, _: str) -> Variables:
    made = await world.pipeline()
    await rows.run(made, status="failed", steps={"a": "failed"})
    return {"pipeline": {"id": global_id("Pipeline", made)}}


@_mutation("pipelineRunDelete", "deletedId")
async def _run_delete(world: World, _: str) -> Variables:
    return {"by": {"id": (await rows.run(await world.pipeline())).global_id}}


# --- project files ---------------------------------------------------------------------------


@_case(
    "projectFiles", "query($p: ID!) { projectFiles(projectId: $p, first: 100) { nodes { id } } }"
)
async def _project_files(world: World, _: str) -> tuple[Variables, str]:
    made = await rows.project_file(world.home)
    return {"p": global_id("Project", world.home)}, global_id("ProjectFile", made)


@_case(
    "projectSecrets",
    "query($p: ID!) { projectSecrets(projectId: $p, first: 100) { nodes { id } } }",
)
async def _project_secrets(world: World, _: str) -> tuple[Variables, str]:
    made = await rows.project_secret(world.home)
    return {"p": global_id("Project", world.home)}, global_id("ProjectSecret", made)


@_mutation("projectFileSet", "projectFile { id }")
async def _project_file_set(world: World, _: str) -> Variables:
    home = global_id("Project", world.home)
    return {"path": rows.unique("new"), "content": "text", "projectId": home}


@_mutation("projectFileDelete", "deletedId")
async def _project_file_delete(world: World, _: str) -> Variables:
    return {"by": {"id": global_id("ProjectFile", await rows.project_file(world.home))}}


@_mutation("projectSecretSet", "projectSecret { id }")
async def _project_secret_set(world: World, _: str) -> Variables:
    home = global_id("Project", world.home)
    return {"name": rows.unique("new"), "value": "v", "projectId": home}


@_mutation("projectSecretDelete", "deletedId")
async def _project_secret_delete(world: World, _: str) -> Variables:
    return {"by": {"id": global_id("ProjectSecret", await rows.project_secret(world.home))}}


# --- backfills -------------------------------------------------------------------------------


async def _a_backfill(world: World) -> int:
    return await rows.backfill(await world.pipeline())


@_case("backfills", "query($p: ID!) { backfills(projectId: $p, first: 100) { nodes { id } } }")
async def _backfills(world: World, _: str) -> tuple[Variables, str]:
    found = global_id("Backfill", await _a_backfill(world))
    return {"p": global_id("Project", world.home)}, found


@_case("backfill", "query($n: Int!) { backfill(by: {number: $n}) { id } }")
async def _backfill(world: World, _: str) -> tuple[Variables, str]:
    made = await _a_backfill(world)
    return {"n": made}, global_id("Backfill", made)


@_mutation("backfillCreate", "backfill { id }")
async def _backfill_create(world: World, _: str) -> Variables:
    return {"pipeline": {"id": global_id("Pipeline", await world.pipeline())}}


@_mutation("backfillUpdate", "backfill { id }")
async def _backfill_update(world: World, _: str) -> Variables:
    return {"by": {"number": await _a_backfill(world)}, "name": "new name"}


@_mutation("backfillUpdate", "backfill { id }", "to start it")
async def _backfill_start(world: World, _: str) -> Variables:
    return {"by": {"number": await _a_backfill(world)}, "status": "INITIAL"}


@_mutation("backfillDelete", "deletedId")
async def _backfill_delete(world: World, _: str) -> Variables:
    return {"by": {"number": await _a_backfill(world)}}


# --- any object ------------------------------------------------------------------------------

NODE_KEYS: Mapping[str, Callable[[World], Awaitable[object]]] = {}


def _node(type_name: str) -> Callable[[Any], Any]:
    def wrap(key: Callable[[World], Awaitable[object]]) -> Any:
        async def one(world: World, _: str) -> tuple[Variables, str]:
            found = global_id(type_name, await key(world))
            return {"id": found}, found

        async def some(world: World, _: str) -> tuple[Variables, str]:
            found = global_id(type_name, await key(world))
            return {"ids": [found]}, found

        CASES.append(Case("node", "query($id: ID!) { node(id: $id) { id } }", one, type_name))
        document = "query($ids: [ID!]!) { nodes(ids: $ids) { id } }"
        CASES.append(Case("nodes", document, some, type_name))
        return key

    return wrap


@_node("Role")
async def _node_role(_: World) -> object:
    return 1


@_node("User")
async def _node_user(world: World) -> object:
    return world.victim


@_node("Membership")
async def _node_membership(world: World) -> object:
    return await rows.member(world.home, await rows.user(), "viewer")


@_node("Session")
async def _node_session(world: World) -> object:
    return world.victims_session


@_node("ApiKey")
async def _node_key(world: World) -> object:
    return world.victims_key


@_node("Project")
async def _node_project(world: World) -> object:
    return world.home


@_node("Pipeline")
async def _node_pipeline(world: World) -> object:
    return await world.pipeline()


@_node("Block")
async def _node_block(world: World) -> object:
    return await rows.block(await world.pipeline(), "c")


@_node("Trigger")
async def _node_trigger(world: World) -> object:
    return (await rows.trigger(await world.pipeline()))["id"]


@_node("Backfill")
async def _node_backfill(world: World) -> object:
    return await _a_backfill(world)


@_node("PipelineRun")
async def _node_run(world: World) -> object:
    return (await rows.run(await world.pipeline())).id


@_node("NotificationRun")
async def _node_notification(world: World) -> object:
    params = {"event": "trigger_failure", "channel": "slack_config", "number": 1}
    made = await rows.row(runs, project_id=world.home, kind="notification", params=params)
    return made["id"]


@_node("RunStep")
async def _node_step(world: World) -> object:
    return (await rows.run(await world.pipeline(), steps={"a": "pending"})).steps["a"]


@_node("ProjectFile")
async def _node_file(world: World) -> object:
    return await rows.project_file(world.home)


@_node("ProjectFileVersion")
async def _node_file_version(world: World) -> object:
    return await rows.project_file_version(await rows.project_file(world.home))


@_node("ProjectSecret")
async def _node_secret(world: World) -> object:
    return await rows.project_secret(world.home)


# --- live ------------------------------------------------------------------------------------


@_case("runUpdated", "subscription($id: ID!) { runUpdated(id: $id) { run { id } } }")
async def _follow_run(world: World, _: str) -> tuple[Variables, str]:
    made = await rows.run(await world.pipeline())
    return {"id": made.global_id}, made.global_id


@_case("runsUpdated", "subscription($p: ID!) { runsUpdated(projectId: $p) { run { id } } }")
async def _follow_project(world: World, _: str) -> tuple[Variables, str]:
    made = await rows.run(await world.pipeline())
    return {"p": global_id("Project", world.home)}, made.global_id


@_case("runLogs", "subscription($id: ID!) { runLogs(runId: $id) { message } }")
async def _follow_log(world: World, _: str) -> tuple[Variables, str]:
    made = await rows.run(await world.pipeline(), log=["a line of the log"])
    return {"id": made.global_id}, "a line of the log"


# --- syncs -----------------------------------------------------------------------------------


def _home(world: World) -> str:
    return global_id("Project", world.home)


def _list_case(field: str, type_name: str, make: Callable[[World], Awaitable[object]]) -> None:
    """A list of the project's things."""
    document = f"query($p: ID!) {{ {field}(projectId: $p, first: 100) {{ nodes {{ id }} }} }}"

    async def wanted(world: World, _: str) -> tuple[Variables, str]:
        return {"p": _home(world)}, global_id(type_name, await make(world))

    CASES.append(Case(field, document, wanted))


def _one_case(field: str, type_name: str, make: Callable[[World], Awaitable[object]]) -> None:
    """One of the project's things, by its global id."""
    document = f"query($id: ID!) {{ {field}(by: {{id: $id}}) {{ id }} }}"

    async def wanted(world: World, _: str) -> tuple[Variables, str]:
        found = global_id(type_name, await make(world))
        return {"id": found}, found

    CASES.append(Case(field, document, wanted))


@_node("Connector")
async def _node_connector(_: World) -> object:
    return 1


@_node("SyncSource")
async def _a_source(world: World) -> object:
    return await rows.sync_end("source", world.home)


@_node("SyncDestination")
async def _a_destination(world: World) -> object:
    return await rows.sync_end("destination", world.home)


@_node("SyncJob")
async def _a_job(world: World) -> object:
    return await rows.sync_job(world.home)


@_node("SyncStream")
async def _a_stream(world: World) -> object:
    return await rows.stream_of(await rows.sync_job(world.home))


@_node("SyncTask")
async def _a_task(world: World) -> object:
    return await rows.sync_task(await rows.sync_job(world.home), "succeeded")


@_node("ProbeRun")
async def _a_probe(world: World) -> object:
    return await rows.probe(world.home)


@_node("SyncWebhookRun")
async def _a_sync_webhook(world: World) -> object:
    return await rows.sync_webhook(await rows.sync_job(world.home))


@_node("ProjectSettings")
async def _settings_of_home(world: World) -> object:
    return world.home


_list_case("syncSources", "SyncSource", _a_source)
_list_case("syncDestinations", "SyncDestination", _a_destination)
_list_case("syncJobs", "SyncJob", _a_job)
_list_case("syncTasks", "SyncTask", _a_task)
_one_case("syncSource", "SyncSource", _a_source)
_one_case("syncDestination", "SyncDestination", _a_destination)
_one_case("syncJob", "SyncJob", _a_job)
_one_case("syncTask", "SyncTask", _a_task)


@_case("connectors", "{ connectors(first: 100) { nodes { id } } }")
async def _connectors(_: World, __: str) -> tuple[Variables, str]:
    return {}, global_id("Connector", 1)


@_case("connector", '{ connector(by: {kind: SOURCE, type: "postgres"}) { id type } }')
async def _connector(_: World, __: str) -> tuple[Variables, str]:
    return {}, '"postgres"'


@_case(
    "connectorSpec", '{ connectorSpec(by: {kind: DESTINATION, type: "iceberg"}, catalog: "rest") }'
)
async def _connector_spec(_: World, __: str) -> tuple[Variables, str]:
    return {}, "rest_catalog_url"


@_case("projectSettings", "query($p: ID!) { projectSettings(projectId: $p) { id } }")
async def _project_settings(world: World, _: str) -> tuple[Variables, str]:
    return {"p": _home(world)}, global_id("ProjectSettings", world.home)


@_case(
    "syncNameIsFree",
    'query($p: ID!) { syncNameIsFree(entity: JOB, name: "free", projectId: $p) }',
)
async def _name_is_free(world: World, _: str) -> tuple[Variables, str]:
    return {"p": _home(world)}, "true"


@_case(
    "syncJobStreamDifference",
    "query($n: Int!) { syncJobStreamDifference(by: {number: $n}, streamsConfig: {}) }",
)
async def _stream_difference(world: World, _: str) -> tuple[Variables, str]:
    return {"n": await _a_job(world)}, "{}"


def _source_input(world: World) -> dict[str, Any]:
    given = {"type": "postgres", "connectorVersion": "v0.9.4", "config": rows.POSTGRES}
    return {"projectId": _home(world), **given}


def _destination_input(world: World) -> dict[str, Any]:
    given = {"type": "parquet", "connectorVersion": "v0.9.4", "config": rows.PARQUET}
    return {"projectId": _home(world), **given}


@_mutation("syncSourceCreate", "source { id }")
async def _source_create(world: World, _: str) -> Variables:
    return {"name": rows.unique("new"), **_source_input(world)}


@_mutation("syncSourceUpdate", "source { id }")
async def _source_update(world: World, _: str) -> Variables:
    return {"by": {"number": await _a_source(world)}, "name": rows.unique("other")}


@_mutation("syncSourceDelete", "deletedId")
async def _source_delete(world: World, _: str) -> Variables:
    return {"by": {"number": await _a_source(world)}}


@_mutation("syncSourceTest", "connection { status }")
async def _source_test(world: World, _: str) -> Variables:
    return {**_source_input(world), "waitS": 0}


@_mutation("syncSourceTest", "connection { status }", "a stored one")
async def _source_test_stored(world: World, _: str) -> Variables:
    return {"by": {"number": await _a_source(world)}, "projectId": _home(world), "waitS": 0}


@_mutation("syncSourceDiscover", "streamsConfig")
async def _source_discover(world: World, _: str) -> Variables:
    return {**_source_input(world), "waitS": 0}


@_mutation("syncDestinationCreate", "destination { id }")
async def _destination_create(world: World, _: str) -> Variables:
    return {"name": rows.unique("new"), **_destination_input(world)}


@_mutation("syncDestinationUpdate", "destination { id }")
async def _destination_update(world: World, _: str) -> Variables:
    return {"by": {"number": await _a_destination(world)}, "name": rows.unique("other")}


@_mutation("syncDestinationDelete", "deletedId")
async def _destination_delete(world: World, _: str) -> Variables:
    return {"by": {"number": await _a_destination(world)}}


@_mutation("syncDestinationTest", "connection { status }")
async def _destination_test(world: World, _: str) -> Variables:
    return {**_destination_input(world), "waitS": 0}


@_mutation("syncJobCreate", "job { id }")
async def _job_create(world: World, _: str) -> Variables:
    ends = {"source": {"number": await _a_source(world)}}
    ends["destination"] = {"number": await _a_destination(world)}
    return {"name": rows.unique("new"), "projectId": _home(world), **ends}


@_mutation("syncJobUpdate", "job { id }")
async def _job_update(world: World, _: str) -> Variables:
    return {"by": {"number": await _a_job(world)}, "frequency": "0 * * * *"}


@_mutation("syncJobDelete", "deletedId")
async def _job_delete(world: World, _: str) -> Variables:
    return {"by": {"number": await _a_job(world)}}


@_mutation("syncJobSetActive", "job { id }")
async def _job_set_active(world: World, _: str) -> Variables:
    return {"by": {"number": await _a_job(world)}, "isActive": False}


@_mutation("syncJobStart", "task { id }")
async def _job_start(world: World, _: str) -> Variables:
    return {"by": {"number": await _a_job(world)}}


@_mutation("syncJobCancel", "task { id }")
async def _job_cancel(world: World, _: str) -> Variables:
    job = await rows.sync_job(world.home)
    await rows.sync_task(job)
    return {"by": {"number": job}}


@_mutation("syncJobClearDestination", "task { id }")
async def _job_clear(world: World, _: str) -> Variables:
    return {"by": {"number": await _a_job(world)}}


@_mutation("syncStreamStateSet", "stream { id }")
async def _state_set(world: World, _: str) -> Variables:
    return {"id": global_id("SyncStream", await _a_stream(world)), "state": {"cursor": 1}}


@_mutation("syncStreamStateReset", "stream { id }")
async def _state_reset(world: World, _: str) -> Variables:
    return {"id": global_id("SyncStream", await _a_stream(world))}


@_mutation("projectSettingsUpdate", "settings { id }")
async def _settings_update(world: World, _: str) -> Variables:
    return {"projectId": _home(world), "webhookAlertUrl": "https://example.org/hook"}


@_case(
    "syncTaskUpdated",
    "subscription($n: Int!) { syncTaskUpdated(by: {number: $n}) { task { id } } }",
)
async def _follow_job(world: World, _: str) -> tuple[Variables, str]:
    job = await rows.sync_job(world.home)
    return {"n": job}, global_id("SyncTask", await rows.sync_task(job))


# --- content ---------------------------------------------------------------------------------


def _by(number: int) -> dict[str, Any]:
    return {"by": {"number": number}}


@_node("Lead")
async def _a_lead(world: World) -> object:
    return await rows.lead(world.home)


@_node("LeadGroup")
async def _a_lead_group(world: World) -> object:
    return await rows.lead_group(world.home)


@_node("Organization")
async def _an_organization(_: World) -> object:
    return await rows.organization()


@_node("OrganizationType")
async def _an_organization_type(_: World) -> object:
    made = await rows.row(organization_types, title=rows.unique("type"))
    return made["id"]


@_node("Attachment")
async def _an_attachment(world: World) -> object:
    made = await rows.attachment(world.users["editor"])
    await rows.lead(world.home, attachment_id=made)
    return made


@_node("UserGroup")
async def _a_user_group(world: World) -> object:
    group = await rows.user_group(world.users["editor"])
    await rows.group_member(group, world.users["viewer"])
    return group


@_node("UserGroupMember")
async def _a_group_member(world: World) -> object:
    return await rows.group_member(await rows.user_group(), world.users["viewer"])


@_node("JoinRequest")
async def _a_wish(world: World) -> object:
    return await rows.join_request(world.home, await rows.user())


_list_case("leads", "Lead", _a_lead)
_list_case("leadGroups", "LeadGroup", _a_lead_group)
_one_case("lead", "Lead", _a_lead)
_one_case("leadGroup", "LeadGroup", _a_lead_group)
_one_case("organization", "Organization", _an_organization)
_one_case("attachment", "Attachment", _an_attachment)
_one_case("userGroup", "UserGroup", _a_user_group)


async def _a_secret_lead(world: World) -> object:
    return await rows.lead(world.home, confidentiality="confidential")


@_case("lead", "query($n: Int!) { lead(by: {number: $n}) { id } }", "a confidential one")
async def _secret_lead(world: World, _: str) -> tuple[Variables, str]:
    made = await _a_secret_lead(world)
    return {"n": made}, global_id("Lead", made)


@_case(
    "organizations", "query($n: Int!) { organizations(where: {number: {eq: $n}}) { nodes { id } } }"
)
async def _organizations(world: World, _: str) -> tuple[Variables, str]:
    made = await _an_organization(world)
    return {"n": made}, global_id("Organization", made)


@_case("organizationTypes", "{ organizationTypes { id } }")
async def _organization_types(world: World, _: str) -> tuple[Variables, str]:
    return {}, global_id("OrganizationType", await _an_organization_type(world))


@_case("attachments", "{ attachments(first: 100) { nodes { id } } }", "of an editor")
async def _attachments(world: World, _: str) -> tuple[Variables, str]:
    made = await rows.attachment(world.users["editor"])
    return {}, global_id("Attachment", made)


@_case("userGroups", "{ userGroups(first: 100) { nodes { id } } }")
async def _user_groups(world: World, _: str) -> tuple[Variables, str]:
    return {}, global_id("UserGroup", await _a_user_group(world))


@_case(
    "userGroupMembers",
    "{ userGroupMembers(first: 100, orderBy: [{field: NUMBER, direction: DESC}]) { nodes { id } } }",
)
async def _user_group_members(world: World, _: str) -> tuple[Variables, str]:
    made = await rows.group_member(await _a_user_group(world), world.victim)
    return {}, global_id("UserGroupMember", made)


@_case("joinRequests", "{ joinRequests(first: 100) { nodes { id } } }")
async def _join_requests(world: World, _: str) -> tuple[Variables, str]:
    made = await rows.join_request(world.home, await rows.user())
    return {}, global_id("JoinRequest", made)


def _home_by(world: World) -> dict[str, Any]:
    return {"project": {"number": world.home}}


@_mutation("leadCreate", "lead { id }")
async def _lead_create(world: World, _: str) -> Variables:
    return {**_home_by(world), "lead": {"title": rows.unique("new")}}


@_mutation("leadUpdate", "lead { id }")
async def _lead_update(world: World, _: str) -> Variables:
    return {**_by(await rows.lead(world.home)), "lead": {"title": rows.unique("other")}}


@_mutation("leadUpdate", "lead { id }", "a confidential one")
async def _secret_update(world: World, _: str) -> Variables:
    made = await rows.lead(world.home, confidentiality="confidential")
    return {**_by(made), "lead": {"title": rows.unique("other")}}


@_mutation("leadDelete", "deletedId")
async def _lead_delete(world: World, _: str) -> Variables:
    return _by(await rows.lead(world.home))


@_mutation("leadBulk", "results { index }")
async def _lead_bulk(world: World, _: str) -> Variables:
    items = [{"lead": {"title": rows.unique("one")}}, {"lead": {"title": rows.unique("two")}}]
    return {**_home_by(world), "items": items, "delete": [{"number": await rows.lead(world.home)}]}


@_mutation("leadCopy", "copies { leadNumbers }")
async def _lead_copy(world: World, _: str) -> Variables:
    leads = [{"number": await rows.lead(world.home)}]
    return {"leads": leads, "projects": [{"number": world.home}]}


@_mutation("leadGroupCreate", "leadGroup { id }")
async def _lead_group_create(world: World, _: str) -> Variables:
    return {**_home_by(world), "title": rows.unique("new")}


@_mutation("leadGroupUpdate", "leadGroup { id }")
async def _lead_group_update(world: World, _: str) -> Variables:
    leads = [await rows.lead(world.home)]
    return {**_by(await rows.lead_group(world.home)), "title": "other", "leadNumbers": leads}


@_mutation("leadGroupDelete", "deletedId")
async def _lead_group_delete(world: World, _: str) -> Variables:
    return _by(await rows.lead_group(world.home))


@_mutation("organizationCreate", "organization { id }")
async def _organization_create(_: World, __: str) -> Variables:
    return {"title": rows.unique("new")}


@_mutation("attachmentCreate", "attachment { id }", "own")
async def _attachment_create(world: World, caller: str) -> Variables:
    subject = Subject(kind="session", user_id=world.users.get(caller, 0), is_owner=True)
    sent = await stage(subject, _bytes())
    return {"upload": sent.upload, "title": "a.txt"}


async def _bytes() -> AsyncIterator[bytes]:
    yield b"hello"


@_mutation("attachmentDelete", "deletedId", "another's")
async def _attachment_delete(world: World, _: str) -> Variables:
    made = await rows.attachment(world.users["editor"])
    await rows.lead(world.home, attachment_id=made)
    return _by(made)


@_mutation("userGroupCreate", "userGroup { id }")
async def _user_group_create(_: World, __: str) -> Variables:
    return {"title": rows.unique("new")}


@_mutation("userGroupUpdate", "userGroup { id }")
async def _user_group_update(world: World, _: str) -> Variables:
    return {"by": {"number": await _a_user_group(world)}, "title": "other"}


@_mutation("userGroupDelete", "deletedId")
async def _user_group_delete(world: World, _: str) -> Variables:
    return {"by": {"number": await _a_user_group(world)}}


@_mutation("userGroupMemberSet", "member { id }")
async def _group_member_set(world: World, _: str) -> Variables:
    return {"group": {"number": await _a_user_group(world)}, "userNumber": world.victim}


@_mutation("userGroupMemberUpdate", "member { id }")
async def _group_member_update(world: World, _: str) -> Variables:
    made = await rows.group_member(await _a_user_group(world), world.victim)
    return {"number": made, "isAdmin": True}


@_mutation("userGroupMemberDelete", "deletedId")
async def _group_member_delete(world: World, _: str) -> Variables:
    group = await _a_user_group(world)
    return {"number": await rows.group_member(group, world.victim)}


@_mutation("membershipBulk", "memberships { id }")
async def _membership_bulk(world: World, _: str) -> Variables:
    members = [{"userNumber": await rows.user()}, {"userNumber": await rows.user()}]
    return {"projectNumber": world.home, "members": members}


@_mutation("projectJoin", "joinRequest { id }", "one that is not private")
async def _project_join(_: World, __: str) -> Variables:
    made = await rows.project()
    await rows.change(projects, made, is_private=False)
    return {"project": {"number": made}, "reason": "need it"}


@_mutation("projectJoin", "joinRequest { id }", "a private one")
async def _project_join_private(_: World, __: str) -> Variables:
    made = await rows.project()
    return {"project": {"number": made}}


@_mutation("projectJoinCancel", "joinRequest { id }")
async def _project_join_cancel(world: World, caller: str) -> Variables:
    made = await rows.project()
    if caller in world.users:
        await rows.join_request(made, world.users[caller])
    return {"project": {"number": made}}


@_mutation("projectJoinAnswer", "joinRequest { id }")
async def _project_join_answer(world: World, _: str) -> Variables:
    made = await rows.join_request(world.home, await rows.user())
    return {"number": made, "accept": True, "role": "viewer"}


# --- semantic models -------------------------------------------------------------------------

ASKED = {"measures": ["harbours.count"]}


@_node("SemanticModel")
async def _a_model(world: World) -> object:
    return await rows.semantic_model(world.home)


@_node("SemanticQuery")
async def _a_query(world: World) -> object:
    return await rows.semantic_query(world.home)


@_case("semanticModel", "query($p: ID!) { semanticModel(projectId: $p) { id } }")
async def _semantic_model(world: World, _: str) -> tuple[Variables, str]:
    return {"p": _home(world)}, global_id("SemanticModel", await _a_model(world))


_list_case("semanticModels", "SemanticModel", _a_model)
_list_case("semanticQueries", "SemanticQuery", _a_query)


def _question(field: str, kind: str, arguments: str, selection: str, wanted: str) -> None:
    """A question to the project's model."""
    text = f"{field}(project: {{id: $p}}{arguments}) {selection}"
    variables = "$p: ID!, $q: JSON!" if arguments else "$p: ID!"

    async def asked(world: World, _: str) -> tuple[Variables, str]:
        await _a_model(world)
        given = {"q": ASKED} if arguments else {}
        return {"p": _home(world), **given}, wanted

    CASES.append(Case(field, f"{kind}({variables}) {{ {text} }}", asked))


_question("semanticMeta", "query", "", "", "harbours.count")
_question("semanticQuery", "query", ", query: $q, waitS: 0", "{ isWaiting }", "isWaiting")
_question("semanticSql", "query", ", query: $q", "", "harbours")
_question("semanticDryRun", "query", ", query: $q", "", "harbours.count")


@_case(
    "semanticModelFaults",
    "query($p: ID!, $f: JSON!) { semanticModelFaults(projectId: $p, files: $f) { file } }",
)
async def _model_faults(world: World, _: str) -> tuple[Variables, str]:
    return {"p": _home(world), "f": {"x.yml": "tables: 1"}}, "x.yml"


@_mutation("semanticModelCreate", "model { id }")
async def _model_create(world: World, _: str) -> Variables:
    name = rows.unique("quays")
    return {"projectId": _home(world), "files": {"a.yml": rows.MODEL.format(name=name)}}


@_mutation("semanticQueryCancel", "query { id }")
async def _query_cancel(world: World, _: str) -> Variables:
    return {"id": global_id("SemanticQuery", await _a_query(world))}


_question("semanticQueryAnswered", "subscription", ", query: $q", "{ isWaiting }", "isWaiting")
