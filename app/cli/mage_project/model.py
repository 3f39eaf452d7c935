"""A project as both sides have it: what a folder says, and what the database holds."""

from collections.abc import Mapping
from dataclasses import dataclass, field

from app.pipelines.actions.files import FileText
from app.pipelines.actions.whole import WholePipeline


@dataclass(frozen=True)
class MageProject:
    """Pipelines by uuid and files by path; `folder` is the name that blocks import it under."""

    folder: str | None
    pipelines: Mapping[str, WholePipeline]
    files: Mapping[str, FileText]


@dataclass
class Remarks:
    """What a reader or a writer has to tell: what it left out and why, and what it took otherwise."""

    not_taken: list[str] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)
    has_refused: bool = False

    def refuse(self, what: str, why: Exception) -> None:
        """Tell that a pipeline, block or trigger cannot be taken as it is."""
        self.not_taken.append(f"{what}: {why}")
        self.has_refused = True

    def text(self) -> str:
        """The remarks as paragraphs; empty where there are none."""
        parts = []
        for title, lines in (("Not taken:", self.not_taken), ("Please note:", self.notes)):
            if lines:
                parts += [title, *(f"  {line}" for line in dict.fromkeys(lines)), ""]
        return "\n".join(parts)
