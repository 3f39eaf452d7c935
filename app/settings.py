"""Every setting, typed. Nothing else in the program reads the environment."""

import os
import re
from functools import lru_cache
from pathlib import Path
from typing import Annotated, Literal, Self

from pydantic import AliasChoices, Field, field_validator, model_validator
from pydantic_settings import BaseSettings, NoDecode, SettingsConfigDict

CommaList = Annotated[tuple[str, ...], NoDecode]


def _config(prefix: str = "ISTHMUS_") -> SettingsConfigDict:
    return SettingsConfigDict(env_prefix=prefix, extra="ignore", populate_by_name=True)


def _split(value: object) -> object:
    if isinstance(value, str):
        return tuple(part.strip() for part in value.split(",") if part.strip())
    return value


class Places(BaseSettings):
    """Where data lives."""

    model_config = _config()

    database_url: str = Field("", validation_alias=AliasChoices("DATABASE_URL"))
    redis_url: str = Field("", validation_alias=AliasChoices("REDIS_URL"))
    log_level: Literal["debug", "info", "warning", "error"] = "info"
    home: Path | None = None
    storage: Path | None = None
    data_root: Path | None = None
    database_pool: int = Field(10, ge=1, le=200)

    @field_validator("database_url")
    @classmethod
    def _with_driver(cls, url: str) -> str:
        """Both common spellings of a PostgreSQL URL, with the driver that we use."""
        return re.sub(r"^postgres(ql)?://", "postgresql+asyncpg://", url)

    @property
    def home_dir(self) -> Path:
        """ISTHMUS_HOME, else the user's data folder (root: /var/lib/isthmus)."""
        if self.home is not None:
            return self.home.expanduser().absolute()
        # Imported here so that the setting classes stay importable without the embedded package.
        from app.embedded import default_home

        return default_home()

    @property
    def storage_dir(self) -> Path:
        """ISTHMUS_STORAGE, else `storage` below the home folder."""
        return (self.storage or self.home_dir / "storage").expanduser().absolute()

    @property
    def data_dir(self) -> Path:
        """ISTHMUS_DATA_ROOT, else `data` below the home folder: where syncs read and write files."""
        return (self.data_root or self.home_dir / "data").expanduser().absolute()


class Access(BaseSettings):
    """Who may call."""

    model_config = _config()

    api_key: str = ""
    admin_username: str = "admin"
    admin_email: str = "admin@admin.com"
    admin_password: str = ""
    require_user_authentication: bool = Field(
        True, validation_alias=AliasChoices("REQUIRE_USER_AUTHENTICATION")
    )
    secret_keys: str = ""
    trusted_proxies: CommaList = ()
    allowed_origins: CommaList = ("http://localhost:8000",)
    session_days: int = Field(30, ge=1, le=3650)
    signup: Literal["open", "closed"] = Field(
        "closed", description="Whether anybody may sign up; without any user somebody always may."
    )
    projects_by_anybody: bool = Field(
        False, description="Whether every signed-in user may make projects, as in DEEP."
    )
    signup_role: str = Field("editor", description="Role of who signs up, in the default project.")
    mage_token_seconds: int | None = Field(
        None, validation_alias=AliasChoices("MAGE_ACCESS_TOKEN_EXPIRY_TIME")
    )

    jwt_key: str = Field("", description="Verifies JWTs (HS256) of callers of the semantic model.")
    oidc_issuer: str = Field("", description="An issuer whose JWTs are good for the same.")
    oidc_audience: str = Field(
        "", description="The `aud` of those JWTs: an issuer has other clients."
    )

    _lists = field_validator("allowed_origins", "trusted_proxies", mode="before")(_split)

    @model_validator(mode="after")
    def _an_issuer_has_an_audience(self) -> Self:
        if self.oidc_issuer and not self.oidc_audience:
            raise ValueError("ISTHMUS_OIDC_ISSUER needs ISTHMUS_OIDC_AUDIENCE.")
        return self


class Door(BaseSettings):
    """What the GraphQL endpoint lets through."""

    model_config = _config()

    introspection: Literal["open", "authenticated", "off"] = "authenticated"
    playground: bool = False
    debug: bool = False
    compile: bool = Field(True, description="Answer reads by one statement where that is possible.")
    operation_timeout_s: float = Field(15, gt=0)
    max_rest_body: int = Field(64 * 1024 * 1024, ge=1024)
    max_upload: int = Field(50 * 1024 * 1024, ge=1024, description="Bytes of a file that is sent.")
    deep_dialect: Literal["documented", "server"] = Field(
        "documented", description="How DEEP's REST API answers who does not say `X-Deep-Dialect`."
    )
    deep_environment: str = Field(
        "development", pattern="^[a-z0-9-]+$", description="In the names of DEEP's cookies."
    )


class Work(BaseSettings):
    """How workers claim, beat and give up. Times in seconds."""

    model_config = _config()

    lease_s: float = Field(30, gt=0.5)
    reconcile_s: float = Field(1, gt=0)
    schedule_s: float = Field(1, gt=0)
    look_s: float = Field(10, ge=0.1)
    drain_s: float = Field(25, ge=0)
    kill_grace_s: float = Field(10, ge=0)
    block_slots: int = Field(0, ge=0, description="Parallel block processes; 0 means one per core.")
    run_slots: int = Field(16, ge=1)
    project_run_limit: int = Field(50, ge=1)
    block_memory_bytes: int = Field(8 * 1024**3, ge=64 * 1024**2)
    block_env: CommaList = ()
    warehouse_url: str = ""
    sync_memory_mb: int = Field(200, ge=64)
    sync_threads: int = Field(2, ge=1, le=64)
    sync_slots: int = Field(0, ge=0, description="Syncs at once; 0 means one per two cores.")
    slot_look_s: float = Field(300, ge=0.1)
    retention_days: int = Field(90, ge=1)
    die_before_push: bool = Field(
        False, description="Crash tests only: die between a commit and its hint."
    )

    _names = field_validator("block_env", mode="before")(_split)

    @property
    def block_processes(self) -> int:
        """How many blocks run at once on this worker."""
        return self.block_slots or os.cpu_count() or 1

    @property
    def sync_processes(self) -> int:
        """How many syncs run at once on this worker."""
        return self.sync_slots or max(1, (os.cpu_count() or 1) // 2)

    def block_environment(self) -> dict[str, str]:
        """The variables of our own environment that blocks may see."""
        return {name: os.environ[name] for name in self.block_env if name in os.environ}

    def pip_environment(self) -> dict[str, str]:
        """Our environment for pip, which runs code of others: without what opens our doors."""
        doors = ("DATABASE_URL", "REDIS_URL")
        return {
            name: value
            for name, value in os.environ.items()
            if name not in doors and not name.startswith("ISTHMUS_")
        }

    @property
    def beat_s(self) -> float:
        """A third of the lease."""
        return self.lease_s / 3

    @property
    def self_stop_s(self) -> float:
        """After this long without a successful beat a worker kills its own work."""
        return self.lease_s * 5 / 6


class Semantic(BaseSettings):
    """How queries of semantic models are run. Times in seconds."""

    model_config = _config()

    continue_wait_s: float = Field(5, ge=0, le=90)
    query_timeout_s: float = Field(600, gt=0)
    query_orphan_s: float = Field(120, gt=0)
    query_concurrency: int = Field(2, ge=1, description="Queries at once on one data source.")
    query_slots: int = Field(4, ge=0, description="Queries at once on one worker.")
    query_memory_mb: int = Field(500, ge=64)
    query_kept_mb: int = Field(1024, ge=64, description="Kept answers of one project.")
    ungrouped_without_key: bool = False


class Outside(BaseSettings):
    """How we call others, and how others reach us."""

    model_config = _config()

    outgoing_private: bool = True
    public_host: str = Field(
        "http://localhost:6789", validation_alias=AliasChoices("MAGE_PUBLIC_HOST")
    )


class Client(BaseSettings):
    """Where `isthmus run` and `isthmus logs` find a server, and who they are there."""

    model_config = _config()

    url: str = "http://127.0.0.1:6789"
    client_key: str = ""


class Settings:
    """All settings of this process, read once from the environment."""

    def __init__(self) -> None:
        self.places = Places()  # type: ignore[call-arg]
        self.access = Access()  # type: ignore[call-arg]
        self.door = Door()  # type: ignore[call-arg]
        self.work = Work()  # type: ignore[call-arg]
        self.semantic = Semantic()  # type: ignore[call-arg]
        self.outside = Outside()  # type: ignore[call-arg]
        self.client = Client()  # type: ignore[call-arg]


@lru_cache(maxsize=1)
def get_settings() -> Settings:
    """The settings of this process."""
    return Settings()
