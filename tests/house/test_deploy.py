"""The deployment files, as far as they can be read without a container engine."""

import re
from typing import Any

import pytest
import yaml  # type: ignore[import-untyped]

from app.settings import Work
from tests.house.places import ROOT
from tests.house.test_docs import AREAS, _variables

DEPLOY = ROOT / "deploy"
SECRETS = {
    "POSTGRES_PASSWORD",
    "ISTHMUS_DB_PASSWORD",
    "ISTHMUS_SECRET_KEYS",
    "ISTHMUS_ADMIN_PASSWORD",
    "ISTHMUS_API_KEY",
}
OURS = ("migrate", "api", "worker")


@pytest.fixture(scope="module")
def services() -> dict[str, Any]:
    """The services of the compose file."""
    found: dict[str, Any] = yaml.safe_load((DEPLOY / "compose.yaml").read_text())["services"]
    return found


def _example() -> dict[str, str]:
    lines = (DEPLOY / "env.example").read_text().splitlines()
    return dict(line.split("=", 1) for line in lines if line and not line.startswith("#"))


def test_compose_has_all_parts_in_the_right_order(services: dict[str, Any]) -> None:
    assert set(services) == {"postgres", "valkey", *OURS}
    for name in ("api", "worker"):
        needs = services[name]["depends_on"]
        assert needs["migrate"]["condition"] == "service_completed_successfully"
        assert needs["valkey"]["condition"] == "service_healthy"
    for name in ("postgres", "valkey"):
        assert services[name]["healthcheck"]["test"]
    assert services["worker"]["deploy"]["replicas"] == 2
    assert services["api"]["volumes"] == services["worker"]["volumes"]


def test_no_secret_is_in_the_files_and_each_is_asked_for() -> None:
    example = _example()
    assert set(example) >= SECRETS
    assert not any(example[name] for name in SECRETS)
    compose = (DEPLOY / "compose.yaml").read_text()
    assert set(re.findall(r"\$\{([A-Z_]+)", compose)) <= {*example, "REQUIRE_USER_AUTHENTICATION"}
    for name in SECRETS - {"ISTHMUS_API_KEY"}:
        assert f"${{{name}:?" in compose


def test_services_get_settings_that_exist(services: dict[str, Any]) -> None:
    known = {variable for area in AREAS for variable in _variables(area)}
    for name in OURS:
        assert set(services[name]["environment"]) <= known


def test_workers_get_no_secret_and_no_process_that_would_keep_one(services: dict[str, Any]) -> None:
    worker = services["worker"]
    assert not set(worker["environment"]) & SECRETS
    assert not worker.get("init")
    assert worker["cap_drop"] == ["ALL"]


def test_workers_get_the_time_that_a_drain_takes(services: dict[str, Any]) -> None:
    fields = Work.model_fields
    needed = fields["drain_s"].default + fields["kill_grace_s"].default
    assert int(services["worker"]["stop_grace_period"].removesuffix("s")) > needed
    unit = (DEPLOY / "systemd" / "isthmus-worker@.service").read_text()
    assert int(unit.partition("TimeoutStopSec=")[2].split()[0]) > needed


def test_the_image_runs_as_nobody_in_particular_and_is_built_from_what_it_needs() -> None:
    text = (DEPLOY / "Dockerfile").read_text()
    assert text.count("FROM ") == 2
    user = re.findall(r"^USER (\d+):\d+$", text, flags=re.MULTILINE)
    assert user and int(user[-1]) > 0
    assert "HEALTHCHECK" in text
    assert not SECRETS & set(re.findall(r"[A-Z_]{6,}", text))
    copied = set(re.findall(r"^COPY ((?:\w\S* )+)\S+$", text, flags=re.MULTILINE))
    names = {name for group in copied for name in group.split()}
    kept = (DEPLOY / "Dockerfile.dockerignore").read_text().splitlines()
    assert names == {line[1:] for line in kept if line.startswith("!")}
    assert all((ROOT / name).exists() for name in names)
