"""Global object identification: every stored entity can be fetched again by its `id`."""

from datetime import datetime

import strawberry


@strawberry.interface(description="An object with a global id.")
class Node:
    """Anything that `node(id:)` can return."""

    id: strawberry.ID = strawberry.field(description="Global, opaque id of the object.")


@strawberry.interface(description="An object that remembers when it was made and changed.")
class Timestamped:
    """Anything with times of creation and change."""

    created_at: datetime = strawberry.field(description="When it was made.")
    updated_at: datetime = strawberry.field(description="When it was last changed.")
