"""Who asks the semantic layer for what: the project, its model, and what the caller may do with it."""

from dataclasses import dataclass

from app.core.errors import Forbidden, NotFound
from app.core.rules import Subject
from app.graphql.context import Info
from app.projects.inputs import ProjectBy
from app.projects.queries import row_of
from app.semantic.loaded import Loaded, current
from app.semantic.model import Caller, scopes_of

PERMISSION = "semantic.read"


@dataclass(frozen=True)
class Asker:
    """A caller of one model."""

    loaded: Loaded
    caller: Caller

    def has(self, scope: str) -> bool:
        """Whether the caller's user group opens this scope."""
        return scope in scopes_of(self.loaded.model, self.caller)

    def require(self, scope: str) -> None:
        """Forbidden where the caller's user group does not open this scope."""
        if not self.has(scope):
            raise Forbidden(f"API scope is missing: {scope}", reason="SCOPE_MISSING")


async def asker(info: Info, by: ProjectBy | None, scope: str) -> Asker:
    """The asker of the model of a project, that of the call where none is named.

    Over GraphQL the scope `graphql` is needed beside the one that is asked for.
    """
    found = await asker_of(info.context.subject, by)
    if not info.context.by_rest:
        found.require("graphql")
    found.require(scope)
    return found


async def asker_of(subject: Subject, by: ProjectBy | None) -> Asker:
    """The same, whatever its scopes; NotFound where there is no such project or no model."""
    subject.require_known()
    project_id = subject.call_project() if by is None else await row_of(by)
    if not subject.may(PERMISSION, project_id):
        if not subject.may("project.read", project_id):
            raise NotFound("There is no such project.")
        subject.require(PERMISSION, project_id)
    loaded = await current(project_id)
    if loaded is None:
        raise NotFound("This project has no semantic model yet. Push one: isthmus model push.")
    return Asker(loaded, caller_of(subject))


def caller_of(subject: Subject) -> Caller:
    """The caller as a model's user groups know it.

    A key that is bound to groups is nobody in particular: what the file says of its user does not
    count.
    """
    groups = subject.groups or ()
    is_bound = subject.groups is not None and subject.kind == "key"
    return Caller("" if is_bound else subject.username or "", groups)
