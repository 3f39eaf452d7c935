"""`isthmus migrate`: newest revision, roles, default project, first owner, api_key, connectors."""

from app.access.installation import bootstrap, load_ring, open_installation
from app.core import db
from app.core.crypto import KeyRing
from app.core.rules import SYSTEM
from app.ingestion import specs
from app.migrations import run
from app.settings import get_settings


async def migrate(ring: KeyRing | None = None) -> None:
    """Migrate and bootstrap; safe to run from several processes at once."""
    access = get_settings().access
    ring = ring or load_ring(access)
    await run.upgrade()
    await bootstrap(ring, access)
    async with db.transaction(SYSTEM) as tx:
        await specs.register(tx, specs.built_in())
    await open_installation(ring, access)
