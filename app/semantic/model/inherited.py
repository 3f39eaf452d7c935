"""Members that a table has from one that it extends: said anew, they stay as guarded as they were."""

from app.semantic.model.texts import Said


def by_name(base: list[Said], over: list[Said]) -> list[Said]:
    """The members of both. Of those of one name the later counts, guarded as the earlier one.

    Two of one name in `over` stay two, which is a fault that others tell.
    """
    before = {_name(one): one for one in base}
    mine = {_name(one): one for one in reversed(over)}
    taken = {id(one) for name, one in mine.items() if name in before}
    new = [one for one in over if id(one) not in taken]
    kept = [_guarded(mine[name], one) if name in mine else one for name, one in before.items()]
    return kept + new


def _guarded(said: Said, base: Said) -> Said:
    """A member with the policy and the hiding of the one that it stands for, unless it says others."""
    whole = _copy(said)
    secure = _meta(base).get("secure")
    meta = said.get("meta")
    if secure is not None and (meta is None or isinstance(meta, Said)):
        kept = Said(base.place) if meta is None else _copy(meta)
        if kept.get("secure") is None:
            kept["secure"], kept.places["secure"] = secure, _meta(base).at("secure")
        whole["meta"], whole.places["meta"] = kept, said.at("meta")
    if False in (base.get("public"), base.get("shown")) and not _says(said, "public", "shown"):
        whole["public"] = False
    return whole


def _meta(said: Said) -> Said:
    meta = said.get("meta")
    return meta if isinstance(meta, Said) else Said(said.place)


def _says(said: Said, *keys: str) -> bool:
    return any(said.get(key) is not None for key in keys)


def _copy(said: Said) -> Said:
    made = Said(said.place)
    made.update(said)
    made.places.update(said.places)
    return made


def _name(said: Said) -> str:
    return str(said.get("name"))
