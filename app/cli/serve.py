"""`isthmus serve`: the API under uvicorn."""

import gc
import socket
import sys
from collections.abc import Sequence

import uvicorn

from app.core.crypto import SecretError
from app.core.protection import protect_process
from app.core.telemetry import configure
from app.server import create_app
from app.settings import get_settings


class _Server(uvicorn.Server):
    """Closes sockets and event streams first, since uvicorn would wait for them."""

    async def shutdown(self, sockets: object = None) -> None:
        """Stop listening, then end streams, then connections."""
        await self.config.app.endpoint.shutdown()  # type: ignore[union-attr]
        await super().shutdown(sockets)  # type: ignore[arg-type]


def run_server(host: str, ports: Sequence[int]) -> None:
    """Serve until SIGTERM, on each of the ports."""
    protect_process()
    settings = get_settings()
    if not (settings.places.database_url and settings.places.redis_url):
        sys.exit("serve needs DATABASE_URL and REDIS_URL. `isthmus dev` brings its own servers.")
    configure(settings.places.log_level)
    try:
        app = create_app(settings)
    except SecretError as error:
        sys.exit(f"isthmus: {error}")
    # What the server begins with is never garbage, and a request leaves little.
    gc.freeze()
    gc.set_threshold(20_000, 20, 20)
    config = uvicorn.Config(
        app,
        log_level="warning",
        access_log=False,
        server_header=False,
        proxy_headers=bool(settings.access.trusted_proxies),
        forwarded_allow_ips=list(settings.access.trusted_proxies),
        ws_max_size=1024 * 1024,
        timeout_graceful_shutdown=10,
        lifespan="on",
    )
    _Server(config).run([_listen(host, port) for port in ports])


def _listen(host: str, port: int) -> socket.socket:
    """A listening socket; the program ends with one line where it cannot be had."""
    try:
        return uvicorn.Config("", host=host, port=port, log_level="critical").bind_socket()
    except SystemExit:
        sys.exit(
            f"isthmus: cannot listen on {host} port {port}. Choose others with --host, --port."
        )
