"""Real PostgreSQL and Valkey on this machine, for those who have no server to name."""

from app.embedded.errors import EmbeddedError
from app.embedded.home import default_home
from app.embedded.servers import EmbeddedServers, Urls

__all__ = ["EmbeddedError", "EmbeddedServers", "Urls", "default_home"]
