"""What `isthmus secret` does."""

from app.cli.mage_project.stored import find_project
from app.core.rules import SYSTEM
from app.pipelines.actions import secrets


async def set_secret(name: str, value: str, project_uuid: str) -> str:
    """Set a secret of the project of that uuid, or of the first one; says so."""
    project = await find_project(project_uuid)
    await secrets.set_secret(SYSTEM, project["id"], name, value)
    return f"The secret {name} of project {project['uuid']} is set."
