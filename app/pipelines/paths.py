"""Which paths a project's files may have, and where Mage keeps the code of blocks."""

from app.core.errors import Invalid

PATH_LENGTH = 500
PART_BYTES = 255
_ENDINGS = {"python": "py", "sql": "sql", "yaml": "yaml", "r": "r", "markdown": "md"}


def block_path(block_type: str, language: str, uuid: str) -> str:
    """Where Mage looks for a block's code unless its configuration says otherwise."""
    folder = "custom" if block_type == "custom" else f"{block_type}s"
    return f"{folder}/{uuid}.{_ENDINGS[language]}"


def fault_of_path(path: str) -> str | None:
    """What is wrong with a path below a project's folder; None where it is good."""
    if not path or len(path) > PATH_LENGTH:
        return f"A path has 1 to {PATH_LENGTH} characters."
    if path.startswith("/"):
        return "A path is relative to the project's folder: it does not begin with `/`."
    if "\\" in path or not path.isprintable():
        return "A path has no backslashes and no control characters."
    for part in path.split("/"):
        if part in ("", ".", ".."):
            return "A path has no empty parts and none that is `.` or `..`."
        if len(part.encode()) > PART_BYTES:
            return f"Each part of a path has at most {PART_BYTES} bytes."
    return None


def check_path(path: str) -> str:
    """The path; Invalid where no project file may have it."""
    fault = fault_of_path(path)
    if fault:
        raise Invalid(fault, path=("path",))
    return path


def folders_of(path: str) -> list[str]:
    """The folders that a path lies in: `a/b/c` -> `a`, `a/b`."""
    parts = path.split("/")
    return ["/".join(parts[:n]) for n in range(1, len(parts))]
