"""The commands of `isthmus`."""

import asyncio
import os
import sys
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Annotated, Any

import typer

from app.core.errors import DomainError, Invalid
from app.settings import get_settings

app = typer.Typer(
    name="isthmus",
    help="One server behind Mage, OLake, Lens and DEEP.",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
)
keys = typer.Typer(help="API keys.", no_args_is_help=True)
users = typer.Typer(help="Users.", no_args_is_help=True)
secrets = typer.Typer(help="Secrets.", no_args_is_help=True)
imports = typer.Typer(help="Take projects over.", no_args_is_help=True)
models = typer.Typer(help="Semantic models.", no_args_is_help=True)
exports = typer.Typer(help="Write projects as others have them.", no_args_is_help=True)
app.add_typer(keys, name="key")
app.add_typer(users, name="user")
app.add_typer(secrets, name="secret")
app.add_typer(models, name="model")
app.add_typer(imports, name="import")
app.add_typer(exports, name="export")

Host = Annotated[str, typer.Option(help="Address to listen on.")]
Ports = Annotated[
    list[int] | None,
    typer.Option(
        "--port", min=1, max=65535, help="Port to listen on (6789); more than one may be."
    ),
]
DEFAULT_PORT = 6789


def _run(work: Callable[[], Awaitable[Any]]) -> Any:
    """Run a short command on the database, with errors as one line."""
    from app.cli import _session

    try:
        return asyncio.run(_session.with_database(work))
    except (DomainError, _session.NotReachable) as error:
        raise SystemExit(f"isthmus: {error}") from error


@app.command()
def dev(
    host: Host = "127.0.0.1",
    port: Ports = None,
    demo: Annotated[bool, typer.Option(help="Load the demo project and run it.")] = False,
) -> None:
    """Run everything on this machine: PostgreSQL, Valkey, API and worker."""
    from app.cli import _demo, dev

    home, ports = get_settings().places.home_dir, port or [DEFAULT_PORT]
    ready = _demo.load if demo else _demo.introduce
    status = dev.run_dev(
        home,
        host=host,
        ports=ports,
        environ=os.environ,
        on_ready=lambda environ: ready(environ, f"http://{host}:{ports[0]}"),
    )
    raise SystemExit(status)


@app.command()
def serve(host: Host = "127.0.0.1", port: Ports = None) -> None:
    """Run the API on DATABASE_URL and REDIS_URL."""
    from app.cli.serve import run_server

    run_server(host, port or [DEFAULT_PORT])


@app.command()
def worker(
    install: Annotated[
        bool, typer.Option("--install", help="Install the projects' requirements.txt first.")
    ] = False,
) -> None:
    """Run a worker on DATABASE_URL and REDIS_URL."""
    from app.cli.worker import run_worker

    run_worker(install)


@app.command()
def migrate() -> None:
    """Bring the database to the newest revision and set up what a new installation needs."""
    from app.cli.migrate import migrate as work

    _run(work)


@app.command()
def schema(
    check: Annotated[bool, typer.Option(help="Fail if the file is not current.")] = False,
    path: Annotated[Path, typer.Option(help="Where the file is.")] = Path("schema.graphql"),
) -> None:
    """Write the GraphQL schema's text, or check that the file has it."""
    from app.graphql.schema import build_schema, sdl

    text = sdl(build_schema())
    if not check:
        path.write_text(text)
    elif not path.exists() or path.read_text() != text:
        sys.exit(f"{path} is stale: run `isthmus schema`.")


@app.command()
def openapi() -> None:
    """Print the OpenAPI document of the REST dialects, as JSON."""
    import json

    from app.server import openapi

    typer.echo(json.dumps(openapi(get_settings()), indent=2, ensure_ascii=False))


Url = Annotated[str, typer.Option(help="Which server; else ISTHMUS_URL.")]
Key = Annotated[str, typer.Option(help="Which API key; else ISTHMUS_CLIENT_KEY, or that of dev.")]


@app.command("run")
def run_pipeline(
    pipeline: Annotated[str, typer.Argument(help="The pipeline's uuid or name.")],
    var: Annotated[
        list[str] | None, typer.Option(help="A variable as name=value; JSON where it is some.")
    ] = None,
    vars_json: Annotated[str, typer.Option(help="Variables as a JSON object.")] = "",
    follow: Annotated[bool, typer.Option(help="Show progress and lines until the end.")] = True,
    url: Url = "",
    key: Key = "",
) -> None:
    """Start a pipeline: 0 it succeeded, 1 it failed, 2 it was cancelled, 3 it did not start."""
    from app.cli import run
    from app.cli._calls import Caller

    try:
        variables = run.variables(var or [], vars_json)
    except run.BadVariables as error:
        raise typer.BadParameter(str(error)) from error
    raise SystemExit(run.run_pipeline(Caller(url, key), pipeline, variables, follow=follow))


@app.command("sync")
def run_sync(
    job: Annotated[str, typer.Argument(help="The job's name.")],
    follow: Annotated[
        bool, typer.Option("--follow", "-f", help="Show progress and lines until the end.")
    ] = False,
    url: Url = "",
    key: Key = "",
) -> None:
    """Start a sync of a job: 0 it succeeded, 1 it failed, 2 it was cancelled, 3 it did not start."""
    from app.cli import sync
    from app.cli._calls import Caller

    raise SystemExit(sync.sync_job(Caller(url, key), job, follow=follow))


@app.command("logs")
def run_logs(
    run: Annotated[str, typer.Argument(help="The run's number or id.")],
    follow: Annotated[bool, typer.Option("--follow", "-f", help="Go on to the end.")] = False,
    url: Url = "",
    key: Key = "",
) -> None:
    """Show how a run stands, why it waits, and what it wrote."""
    from app.cli import logs
    from app.cli._calls import Caller

    raise SystemExit(logs.show_log(Caller(url, key), run, follow=follow))


@keys.command("create")
def key_create(
    name: Annotated[str, typer.Argument(help="What the key is for.")],
    user: Annotated[str, typer.Option(help="Whose key; the first owner's if left out.")] = "",
    scope: Annotated[list[str] | None, typer.Option(help="Only this permission.")] = None,
    group: Annotated[
        list[str] | None,
        typer.Option(
            help="A user group of the semantic model; without --scope, ask it and nothing else."
        ),
    ] = None,
    project: Annotated[str, typer.Option(help="Uuid of the only project that it opens.")] = "",
) -> None:
    """Make an API key and print it; it is shown only now."""
    from app.cli import _accounts

    print(_run(lambda: _accounts.create_key(name, user, scope or [], group or [], project)))


@keys.command("list")
def key_list() -> None:
    """List the installation's api_key and all users' keys."""
    from app.cli import _accounts

    print(_run(_accounts.list_keys))


@keys.command("revoke")
def key_revoke(number: Annotated[int, typer.Argument(help="The key's number.")]) -> None:
    """End a key at once."""
    from app.cli import _accounts

    print(_run(lambda: _accounts.revoke_key(number)))


@users.command("add")
def user_add(
    username: Annotated[str, typer.Argument(help="The name to log in with.")],
    email: Annotated[str, typer.Option(help="E-mail address.")] = "",
    role: Annotated[str, typer.Option(help="Role in the default project.")] = "editor",
    owner: Annotated[bool, typer.Option(help="Owner of the installation.")] = False,
) -> None:
    """Make a user; asks for the password (or reads a line from standard input)."""
    from app.cli import _accounts

    password = _password()
    print(_run(lambda: _accounts.add_user(username, email, password, role, owner)))


@users.command("password")
def user_password(
    username: Annotated[str, typer.Argument(help="Whose password.")],
) -> None:
    """Set a user's password and end its sessions."""
    from app.cli import _accounts

    password = _password()
    print(_run(lambda: _accounts.set_password(username, password)))


Folder = Annotated[Path, typer.Argument(help="The Mage project's folder.")]
ProjectUuid = Annotated[str, typer.Option(help="Uuid of the project; the first if left out.")]
Yes = Annotated[bool, typer.Option("--yes", help="Do not ask.")]


@imports.command("mage")
def import_mage(
    folder: Folder,
    project: ProjectUuid = "",
    name: Annotated[
        str, typer.Option("--folder", help="Name that blocks import it under; DIR's if left out.")
    ] = "",
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Say it, change nothing.")] = False,
    yes: Yes = False,
    prune: Annotated[bool, typer.Option("--prune", help="Delete what only Isthmus has.")] = False,
    paused: Annotated[
        bool, typer.Option("--paused", help="New triggers come switched off.")
    ] = False,
    secret: Annotated[
        list[str] | None, typer.Option(help="Seal files of this pattern as well.")
    ] = None,
) -> None:
    """Take a Mage project folder over; run it again to take over what has changed."""
    from app.cli.mage_project import commands

    options = commands.ImportOptions(project, name, dry_run, prune, paused, tuple(secret or ()))
    _run(lambda: commands.import_mage(folder.resolve(), options, print, _asking(yes)))


@imports.command("olake")
def import_olake(
    folder: Annotated[Path, typer.Argument(help="Where source.json and the others are.")],
    type: Annotated[str, typer.Option(help="What the source is, such as mysql.")] = "postgres",
    name: Annotated[str, typer.Option(help="Name of the job; the folder's if left out.")] = "",
    frequency: Annotated[
        str, typer.Option(help="When it runs; only when called if left out.")
    ] = "",
    url: Url = "",
    key: Key = "",
) -> None:
    """Make a job of OLake's source.json, destination.json, streams.json and state.json."""
    from app.cli import olake_files
    from app.cli._calls import Caller

    folder = folder.resolve()
    try:
        files = olake_files.read_folder(folder)
    except Invalid as error:
        raise SystemExit(f"isthmus: {error}") from error
    job = name or folder.name
    work = Caller(url, key).call(
        lambda graph: olake_files.take_over(graph, files, type, job, frequency)
    )
    print(work)


ModelFolder = Annotated[
    Path, typer.Argument(help="The model's folder: tables/, views/, sqls/ and more.")
]


@models.command("check")
def model_check(folder: ModelFolder) -> None:
    """Say what is wrong with a model's files, with file and line; status 1 if something is."""
    from app.cli import model

    try:
        faults = model.check(folder)
    except model.BadFolder as error:
        raise SystemExit(f"isthmus: {error}") from error
    print("\n".join(faults) or "The model has no faults.")
    raise SystemExit(1 if faults else 0)


@models.command("push")
def model_push(
    folder: ModelFolder,
    note: Annotated[str, typer.Option(help="What is new, for people.")] = "",
    project: ProjectUuid = "",
    url: Url = "",
    key: Key = "",
) -> None:
    """Make a new version of a project's model, which is served at once."""
    from app.cli import model
    from app.cli._calls import Caller

    try:
        print(Caller(url, key).call(lambda graph: model.push(graph, folder, project, note)))
    except model.BadFolder as error:
        raise SystemExit(f"isthmus: {error}") from error


@models.command("pull")
def model_pull(
    folder: ModelFolder, project: ProjectUuid = "", url: Url = "", key: Key = ""
) -> None:
    """Write the files of the version that is served."""
    from app.cli import model
    from app.cli._calls import Caller

    try:
        print(Caller(url, key).call(lambda graph: model.pull(graph, folder, project)))
    except model.BadFolder as error:
        raise SystemExit(f"isthmus: {error}") from error


@exports.command("mage")
def export_mage(folder: Folder, project: ProjectUuid = "", yes: Yes = False) -> None:
    """Write a project as a Mage project folder."""
    from app.cli.mage_project import commands

    _run(lambda: commands.export_mage(folder.resolve(), project, print, _asking(yes)))


def _asking(yes: bool) -> Callable[[str], bool]:
    def ask(question: str) -> bool:
        if yes:
            return True
        if not sys.stdin.isatty():
            raise Invalid("Nobody can be asked here. Say --yes.")
        return typer.confirm(question)

    return ask


@secrets.command("set")
def secret_set(
    name: Annotated[str, typer.Argument(help="What blocks ask for it by.")],
    project: ProjectUuid = "",
) -> None:
    """Set a project's secret; asks for the value (or reads a line from standard input)."""
    from app.cli import _secrets

    value = _typed("Value")
    print(_run(lambda: _secrets.set_secret(name, value, project)))


@secrets.command("rotate")
def secret_rotate() -> None:
    """Seal everything anew with the first key of ISTHMUS_SECRET_KEYS; older ones can go then."""
    from app.cli import _rotate

    print(_run(_rotate.rotate))


def _password() -> str:
    return _typed("Password")


def _typed(what: str) -> str:
    if sys.stdin.isatty():
        typed: str = typer.prompt(what, hide_input=True, confirmation_prompt=True)
        return typed
    return sys.stdin.readline().rstrip("\n")
