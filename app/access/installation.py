"""Facts of this installation: its key ring, its Mage `api_key`, its first owner.

What is not set in the environment is generated once, kept sealed in the database, and shown by
`isthmus dev` and `isthmus key list`.
"""

import hmac
import os
from dataclasses import dataclass
from pathlib import Path

from sqlalchemy import delete, func, insert, select, text
from sqlalchemy.dialects.postgresql import insert as upsert

from app.access import passwords, remember
from app.access.tables import installation, memberships, roles, users
from app.core import db
from app.core.crypto import KeyRing, SecretError
from app.core.ids import new_token
from app.core.rules import ROLES, SYSTEM
from app.settings import Access

BOOTSTRAP_LOCK = 7_316_482


@dataclass
class Keys:
    """Secrets of this process."""

    ring: KeyRing
    api_key: str = ""

    @property
    def token_secret(self) -> bytes:
        """Signs the JWT envelopes of session tokens."""
        return self.ring.derive("session-token-envelope")

    def is_api_key(self, given: str) -> bool:
        """Whether this is the installation's Mage api_key, compared in constant time."""
        return bool(self.api_key) and hmac.compare_digest(self.api_key.encode(), given.encode())


_keys: Keys | None = None


def keys() -> Keys:
    """This process's secrets."""
    if _keys is None:
        raise RuntimeError("The installation is not opened.")
    return _keys


def load_ring(access: Access) -> KeyRing:
    """The key ring of ISTHMUS_SECRET_KEYS.

    Without it this refuses to start: a key that was generated on one machine would leave secrets
    that no other machine can open. `isthmus dev` keeps one in its home (`home_ring`).
    """
    if access.secret_keys:
        return KeyRing.parse(access.secret_keys)
    raise SecretError(
        "ISTHMUS_SECRET_KEYS is not set. With a database of your own it is needed, the same for "
        f"all processes, for example ISTHMUS_SECRET_KEYS={KeyRing.generate()}"
    )


def home_ring(home: Path) -> str:
    """The text of the key ring in a home folder, made (mode 0600) where there is none."""
    path = home / "secret_keys"
    if not path.exists():
        flags = os.O_WRONLY | os.O_CREAT | os.O_EXCL
        with os.fdopen(os.open(path, flags, 0o600), "w") as file:
            file.write(KeyRing.generate())
    return path.read_text().strip()


def open_ring(ring: KeyRing) -> Keys:
    """Give this process the key ring alone: a worker opens settings and answers no clients."""
    global _keys
    _keys = Keys(ring)
    return _keys


async def open_installation(ring: KeyRing, access: Access) -> Keys:
    """Load this process's secrets; `bootstrap` must have run once before."""
    global _keys
    remember.forget_all()
    _keys = Keys(ring, access.api_key or await _stored(ring, "mage_api_key") or "")
    return _keys


def place_of(name: str) -> str:
    """Where the ciphertext of a fact belongs, and opens."""
    return f"installation/{name}/value"


async def _stored(ring: KeyRing, name: str) -> str | None:
    async with db.reading() as connection:
        value = await connection.scalar(
            select(installation.c.value).where(installation.c.name == name)
        )
    return None if value is None else ring.open(value, place_of(name))


async def _keep(tx: db.Tx, ring: KeyRing, name: str, value: str) -> None:
    sealed = ring.seal(value, place_of(name))
    await tx.execute(
        upsert(installation)
        .values(name=name, value=sealed)
        .on_conflict_do_update(index_elements=["name"], set_={"value": sealed})
    )


async def generated_password(ring: KeyRing) -> str | None:
    """The first owner's generated password, until it is changed."""
    return await _stored(ring, "admin_password")


async def forget_generated_password(tx: db.Tx) -> None:
    """After a change of password the generated one is no longer kept."""
    await tx.execute(delete(installation).where(installation.c.name == "admin_password"))


async def bootstrap(ring: KeyRing, access: Access) -> None:
    """Make roles, the default project, the first owner and the api_key where they are missing.

    Safe to run from several processes at once, and again at every start.
    """
    async with db.transaction(SYSTEM) as tx:
        await tx.execute(text("SELECT pg_advisory_xact_lock(:k)"), {"k": BOOTSTRAP_LOCK})
        for name, (title, permissions) in ROLES.items():
            await tx.execute(
                upsert(roles)
                .values(name=name, title=title, permissions=list(permissions))
                .on_conflict_do_nothing(index_elements=["name"])
            )
        if not access.api_key and not await tx.one(
            select(installation.c.name).where(installation.c.name == "mage_api_key")
        ):
            await _keep(tx, ring, "mage_api_key", new_token())
        project_id = await _default_project(tx)
        if not await tx.one(select(users.c.id).where(users.c.is_owner)):
            await _first_owner(tx, ring, access, project_id)


async def _default_project(tx: db.Tx) -> int:
    row = await tx.one(text("SELECT id FROM projects ORDER BY id LIMIT 1"))
    if row is None:
        row = await tx.one(
            text("INSERT INTO projects (uuid, name) VALUES ('default', 'Default') RETURNING id")
        )
        assert row is not None
        await tx.audit("project.create", "Project", row["id"], project_id=row["id"])
    return int(row["id"])


async def _first_owner(tx: db.Tx, ring: KeyRing, access: Access, project_id: int) -> None:
    password = access.admin_password
    if not password:
        password = new_token()[:20]
        await _keep(tx, ring, "admin_password", password)
    user = await tx.one(
        insert(users)
        .values(
            username=access.admin_username,
            email=access.admin_email or None,
            password_hash=await passwords.hashed(password),
            is_owner=True,
        )
        .returning(users.c.id)
    )
    assert user is not None
    role = await tx.one(select(roles.c.id).where(roles.c.name == "owner"))
    assert role is not None
    await tx.execute(
        insert(memberships).values(project_id=project_id, user_id=user["id"], role_id=role["id"])
    )
    await tx.audit("user.create", "User", user["id"], fields=["username", "is_owner"])


async def count_users() -> int:
    """How many users there are."""
    async with db.reading() as connection:
        return int(await connection.scalar(select(func.count()).select_from(users)) or 0)
