"""`isthmus migrate`: newest revision, roles, default project, first owner, api_key."""

from app.access.installation import bootstrap, load_ring, open_installation
from app.core.crypto import KeyRing
from app.migrations import run
from app.settings import get_settings


async def migrate(ring: KeyRing | None = None) -> None:
    """Migrate and bootstrap; safe to run from several processes at once."""
    access = get_settings().access
    ring = ring or load_ring(access)
    await run.upgrade()
    await bootstrap(ring, access)
    await open_installation(ring, access)
