"""What a caller may do, and how it becomes part of a select."""

import pytest

from app.core.errors import Forbidden, Unauthenticated
from app.core.rules import PERMISSIONS, ROLES, SYSTEM, VIEWER, Subject
from app.projects.tables import projects

MEMBER = Subject(
    kind="session",
    user_id=7,
    project_id=1,
    grants={1: frozenset({"project.read"}), 2: frozenset({"pipeline.read"})},
)


def test_a_right_counts_in_its_project_only() -> None:
    assert MEMBER.may("project.read", 1)
    assert not MEMBER.may("project.read", 2)
    assert not MEMBER.may("pipeline.read", 1)
    assert not MEMBER.may("project.read", None)


def test_nobody_may_anything_and_must_sign_in() -> None:
    nobody = Subject()
    assert not any(nobody.may(p, 1) for p in PERMISSIONS)
    for ask in (
        nobody.require_known,
        nobody.require_owner,
        nobody.require_account,
        nobody.call_project,
        lambda: nobody.require("project.read", 1),
    ):
        with pytest.raises(Unauthenticated):
            ask()


def test_who_is_known_and_lacks_the_right_is_forbidden() -> None:
    with pytest.raises(Forbidden):
        MEMBER.require("project.write", 1)
    with pytest.raises(Forbidden):
        MEMBER.require_owner()
    with pytest.raises(Forbidden):
        Subject(kind="session", user_id=1).call_project()
    with pytest.raises(Forbidden):
        Subject(kind="key", user_id=1, is_limited=True).require_account()


def test_owners_and_the_program_itself_may_everything() -> None:
    for subject in (Subject(kind="session", user_id=1, is_owner=True), SYSTEM):
        assert all(subject.may(p, 99) for p in PERMISSIONS)
        assert subject.parameters["viewer_is_owner"] is True


def test_a_rule_is_one_statement_for_every_caller() -> None:
    rule = VIEWER.holds("project.read", projects.c.id)
    assert str(rule) == str(VIEWER.holds("project.read", projects.c.id))
    assert "viewer_project_read" in str(rule)
    assert MEMBER.parameters["viewer_project_read"] == [1]
    assert Subject().parameters == {
        "viewer_id": -1,
        "viewer_session_id": -1,
        "viewer_project": -1,
        "viewer_is_owner": False,
        "viewer_is_whole": True,
        **{f"viewer_{p.replace('.', '_')}": [] for p in PERMISSIONS},
    }


def test_roles_hold_known_permissions_and_grow_from_viewer_to_owner() -> None:
    held = {name: set(permissions) for name, (_, permissions) in ROLES.items()}
    assert set().union(*held.values()) == set(PERMISSIONS)
    assert held["viewer"] < held["editor"] < held["admin"] < held["owner"]
    assert "pipeline.write" not in held["sourcer"] | held["restricted_viewer"]
