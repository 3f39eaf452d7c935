"""User groups: to which one a caller belongs, and what it opens. The first match wins."""

from app.semantic.model.nouns import Caller, Model, UserGroup

SCOPES = frozenset({"meta", "data", "graphql"})
EVERYBODY = UserGroup("default", SCOPES, frozenset({"*"}))


def group_of(model: Model, caller: Caller) -> UserGroup | None:
    """The caller's user group; None for one whom all groups leave out."""
    return next((one for one in model.user_groups if _belongs(caller, one)), None)


def scopes_of(model: Model, caller: Caller) -> frozenset[str]:
    """What the caller may do: some of `meta`, `data` and `graphql`."""
    group = group_of(model, caller)
    return group.scopes if group else frozenset()


def _belongs(caller: Caller, group: UserGroup) -> bool:
    ids = {"*", f"users:id:{caller.user}"} - {"users:id:"}
    if not caller.user.startswith("users:"):
        # A name can be anything; none may pass for the mark of another.
        ids |= {caller.user} - {""}
    included = ids & group.includes or group.name in caller.groups
    return bool(included) and not ids & group.excludes
