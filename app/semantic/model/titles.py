"""Names as people read them: `order_items` becomes `Order Items`, `placed_at` `Placed at`."""

import re

_LOW = (
    "a", "an", "and", "at", "but", "by", "for", "from", "in", "into", "nor", "of", "off", "on",
    "onto", "or", "out", "over", "so", "the", "to", "with",
)  # fmt: skip


def title(name: str) -> str:
    """The name in title case; short words stay low unless they come first."""
    words = re.sub(r"(?<=[a-z0-9])(?=[A-Z])", "_", name).lower().split("_")
    shown = [w if w in _LOW and i else w.capitalize() for i, w in enumerate(filter(None, words))]
    return " ".join(shown)
