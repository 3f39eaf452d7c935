"""The words of leads, and what people read for them."""

import enum

import strawberry


@strawberry.enum(description="How far a lead has been worked on.")
class LeadStatus(enum.Enum):
    """States of work."""

    NOT_TAGGED = strawberry.enum_value("not_tagged", description="Not Tagged: nobody began.")
    IN_PROGRESS = strawberry.enum_value("in_progress", description="In progress: begun.")
    TAGGED = strawberry.enum_value("tagged", description="Tagged: done.")


@strawberry.enum(description="How urgent a lead is.")
class LeadPriority(enum.Enum):
    """Urgencies."""

    LOW = strawberry.enum_value("low", description="Low.")
    MEDIUM = strawberry.enum_value("medium", description="Medium.")
    HIGH = strawberry.enum_value("high", description="High.")


@strawberry.enum(description="Who may know of a lead.")
class LeadConfidentiality(enum.Enum):
    """Degrees of secrecy."""

    UNPROTECTED = strawberry.enum_value("unprotected", description="Public: anybody.")
    RESTRICTED = strawberry.enum_value("restricted", description="Restricted: members.")
    CONFIDENTIAL = strawberry.enum_value(
        "confidential", description="Confidential: members who may see all leads."
    )


@strawberry.enum(description="Where a lead came from.")
class LeadSourceType(enum.Enum):
    """Kinds of origin."""

    TEXT = strawberry.enum_value("text", description="A text that was typed.")
    DISK = strawberry.enum_value("disk", description="A file that was sent.")
    WEBSITE = strawberry.enum_value("website", description="A page.")
    DROPBOX = strawberry.enum_value("dropbox", description="A file of Dropbox.")
    GOOGLE_DRIVE = strawberry.enum_value("google_drive", description="A file of Google Drive.")
    RSS = strawberry.enum_value("rss", description="A feed.")
    EMM = strawberry.enum_value("emm", description="The Europe Media Monitor.")
    API = strawberry.enum_value("api", description="A program.")
    UNKNOWN = strawberry.enum_value("unknown", description="Nobody said.")


FILES = ("disk", "dropbox", "google_drive")
"""Origins whose leads are files."""
