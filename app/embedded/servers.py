"""Both embedded servers of one home, started and stopped together."""

import os
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType
from typing import Self

from app.embedded.errors import EmbeddedError
from app.embedded.home import lock_home, prepare_home, private_folder
from app.embedded.postgres import Postgres
from app.embedded.valkey import Valkey


@dataclass(frozen=True)
class Urls:
    """Where the servers answer; the empty string for one that is not embedded."""

    database_url: str
    warehouse_url: str
    redis_url: str


class EmbeddedServers:
    """PostgreSQL and Valkey of a home folder, which is locked from `start` to `stop`.

    Start it in a thread that lives as long as the servers shall. `durable=False` trades
    safety at a crash for speed, for tests.
    """

    def __init__(
        self, home: Path, *, postgres: bool = True, valkey: bool = True, durable: bool = True
    ) -> None:
        self.home = home.absolute()
        self.postgres = Postgres(self.home, durable=durable)
        self.valkey = Valkey(self.home, durable=durable)
        self._with_postgres = postgres
        self._with_valkey = valkey
        self._lock: int | None = None

    @property
    def chosen(self) -> list[Postgres | Valkey]:
        """The servers that this launcher runs."""
        servers: list[Postgres | Valkey] = []
        if self._with_postgres:
            servers.append(self.postgres)
        if self._with_valkey:
            servers.append(self.valkey)
        return servers

    def start(self) -> Urls:
        """Lock the home, start what was chosen and return where it answers."""
        try:
            prepare_home(self.home)
            self._lock = lock_home(self.home)
            private_folder(self.home / "logs")
            for server in self.chosen:
                server.start()
        except OSError as error:
            self.stop()
            raise EmbeddedError(
                f"Cannot use {self.home} for data ({error}). "
                "Set ISTHMUS_HOME to a folder of your own."
            ) from error
        except BaseException:
            self.stop()
            raise
        return self.urls

    @property
    def urls(self) -> Urls:
        """Where the servers answer, once they were started."""
        postgres = self.postgres if self._with_postgres else None
        return Urls(
            database_url=postgres.url("isthmus", "isthmus") if postgres else "",
            warehouse_url=postgres.url("warehouse", "warehouse") if postgres else "",
            redis_url=self.valkey.url if self._with_valkey else "",
        )

    def stop(self) -> None:
        """Stop the servers and give the home back; harmless when they do not run."""
        for server in reversed(self.chosen):
            server.stop()
        if self._lock is not None:
            os.close(self._lock)
            self._lock = None

    def __enter__(self) -> Self:
        self.start()
        return self

    def __exit__(
        self,
        exc_type: type[BaseException] | None,
        exc: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self.stop()
