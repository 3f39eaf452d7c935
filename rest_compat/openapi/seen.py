"""A JSON Schema from values: what was seen at each place of many bodies."""

from typing import Any

ANY = "\x00any"
"""The key that an object of free JSON holds: where it comes up, any key may."""
MAX_WORDS = 20


class FreeObject(dict[str, Any]):
    """Free JSON: a value that passes a translation untouched could have been any other."""

    def __init__(self) -> None:
        super().__init__({ANY: None})


class FreeList(list[Any]):
    """Free JSON in another form."""

    def __init__(self) -> None:
        super().__init__([None])


class Seen:
    """The values at one place. Each comes from one of two worlds whose texts and numbers differ."""

    def __init__(self) -> None:
        self.types: set[str] = set()
        self.texts: tuple[set[str], set[str]] = (set(), set())
        self.properties: dict[str, Seen] = {}
        self.objects = 0
        self.counts: dict[str, int] = {}
        self.items: Seen | None = None
        self.is_free = False
        self.is_open = False

    def add(self, value: Any, world: int = 0) -> None:
        """See one more value."""
        if isinstance(value, FreeObject | FreeList):
            self.is_free = True
        elif isinstance(value, dict):
            self._add_object(value, world)
        elif isinstance(value, list | tuple):
            self.types.add("array")
            self.items = self.items or Seen()
            for item in value:
                self.items.add(item, world)
        else:
            self._add_scalar(value, world)

    def _add_object(self, value: dict[str, Any], world: int) -> None:
        self.types.add("object")
        self.objects += 1
        for key, inner in value.items():
            if key == ANY:
                self.is_open = True
                continue
            self.counts[key] = self.counts.get(key, 0) + 1
            if key not in self.properties:
                self.properties[key] = Seen()
            self.properties[key].add(inner, world)

    def _add_scalar(self, value: Any, world: int) -> None:
        if value is None:
            self.types.add("null")
        elif isinstance(value, bool):
            self.types.add("boolean")
        elif isinstance(value, int):
            self.types.add("integer")
        elif isinstance(value, float):
            self.types.add("number")
        else:
            self.types.add("string")
            # The name of a free key is as free.
            self.texts[world].add(f"{ANY}{world}" if ANY in value else str(value))

    def schema(self) -> dict[str, Any]:
        """What all of them have in common; `{}` for what may be anything or was never seen."""
        if self.is_free or not self.types:
            return {}
        if {"array", "object"} <= self.types:
            return {"anyOf": [self._of({"array"}), self._of(self.types - {"array"})]}
        return self._of(self.types)

    def _of(self, among: set[str]) -> dict[str, Any]:
        types = sorted(among - ({"integer"} if "number" in among else set()))
        made: dict[str, Any] = {"type": types[0] if len(types) == 1 else types}
        if words := self._words():
            made["enum"] = [*words, None] if "null" in types else words
        if "object" in types:
            made["properties"] = {k: seen.schema() for k, seen in sorted(self.properties.items())}
            always = sorted(k for k, count in self.counts.items() if count == self.objects)
            if always and not self.is_open:
                made["required"] = always
        if "array" in types and self.items is not None:
            made["items"] = self.items.schema()
        return made

    def _words(self) -> list[str]:
        """A vocabulary: the same few texts in both worlds, so made of no data."""
        first, second = self.texts
        is_closed = first == second and len(first) <= MAX_WORDS
        return sorted(first) if is_closed and self.types <= {"string", "null"} else []

    def join(self, other: "Seen") -> None:
        """See all that another one has seen."""
        self.types |= other.types
        self.texts[0].update(other.texts[0])
        self.texts[1].update(other.texts[1])
        self.objects += other.objects
        for key, count in other.counts.items():
            self.counts[key] = self.counts.get(key, 0) + count
        for key, seen in other.properties.items():
            self.properties.setdefault(key, Seen()).join(seen)
        if other.items is not None:
            self.items = self.items or Seen()
            self.items.join(other.items)
        self.is_free |= other.is_free
        self.is_open |= other.is_open
