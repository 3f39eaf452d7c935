"""One project with a member of every role, a foreign project, and all kinds of caller."""

from collections.abc import Callable
from dataclasses import dataclass, field

from app.access import passwords
from app.core.ids import global_id
from tests.factories import rows

ROLES = ("restricted_viewer", "viewer", "editor", "admin", "owner")
CALLERS = (
    "anonymous",
    "installation key",
    "stranger",
    "restricted viewer",
    "viewer",
    "editor",
    "admin",
    "owner",
    "installation owner",
    "reading key",
    "expired",
    "revoked",
)
PASSWORD = "a password of tests"
SCOPES = ("project.read", "pipeline.read")


@dataclass
class World:
    """Who is there. `users` and `tokens` are by caller."""

    password_hash: str
    home: int = 0
    users: dict[str, int] = field(default_factory=dict)
    tokens: dict[str, str | None] = field(default_factory=dict)
    victim: int = 0
    victims_session: int = 0
    victims_key: int = 0

    async def project(self) -> int:
        """A project with the members of the home project; it has two owners."""
        made = await rows.project()
        for role in ROLES:
            await rows.member(made, self.users[role.replace("_", " ")], role)
        await rows.member(made, self.victim, "owner")
        return made

    async def pipeline(self) -> int:
        """A pipeline of the home project with the blocks a -> b."""
        made = await rows.pipeline(self.home)
        await rows.block(made, "a")
        await rows.block(made, "b", ["a"])
        return made


async def make_world() -> World:
    """Insert everything; every user has the same password."""
    world = World(await passwords.hashed(PASSWORD))

    async def user(name: str, *, is_owner: bool = False) -> int:
        return await rows.user(
            name.replace(" ", "_"), is_owner=is_owner, password_hash=world.password_hash
        )

    for caller in ("stranger", *(role.replace("_", " ") for role in ROLES)):
        world.users[caller] = await user(caller)
    world.users["installation owner"] = await user("installation_owner", is_owner=True)
    world.victim = await user("victim")
    world.home = await world.project()
    abroad = await rows.project()
    await rows.member(abroad, world.users["stranger"], "owner")
    for caller, user_id in world.users.items():
        world.tokens[caller] = (await rows.session(user_id)).token
    keeper = world.users["owner"]
    for caller in ("reading key", "expired", "revoked"):
        world.users[caller] = keeper
    world.tokens |= {
        "anonymous": None,
        "installation key": None,
        "reading key": (await rows.api_key(keeper, scopes=SCOPES)).token,
        "expired": (await rows.session(keeper, lasts=-1)).token,
        "revoked": (await rows.session(keeper, is_revoked=True)).token,
    }
    world.victims_session = (await rows.session(world.victim)).id
    world.victims_key = (await rows.api_key(world.victim)).id
    return world


def gid(type_name: str) -> Callable[[object], str]:
    """Makes global ids of one type."""
    return lambda key: global_id(type_name, key)
