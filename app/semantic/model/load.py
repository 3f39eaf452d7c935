"""From the texts of a model's files to the model, or to everything that is wrong with them."""

from collections.abc import Mapping
from typing import Any

from app.semantic.model import keys
from app.semantic.model.groups import EVERYBODY, SCOPES
from app.semantic.model.inherited import by_name
from app.semantic.model.links import Links
from app.semantic.model.nouns import Entry, Model, ModelErrors, Table, UserGroup
from app.semantic.model.routes import paths
from app.semantic.model.tables import Tables, ids
from app.semantic.model.texts import Faults, Said, read
from app.semantic.model.views import Views, of_table

MAX_MEMBERS = 10_000
MAX_PARENTS = 20
MANY_FAULTS = 500
"""With so many nobody reads on."""
_TOP = ("tables", "cubes", "views", "user_groups")


_TOO_MANY = f"with it the model has more than {MAX_MEMBERS} tables, members, joins and roll-ups"


def load(files: Mapping[str, str], dialects: Mapping[str, str] | None = None) -> Model:
    """The model of these files, path to text. Raises ModelErrors.

    `dialects` are those of SQL by data source: postgres where none is named, duckdb or trino.
    """
    faults = Faults()
    raw = _sorted(read(files, faults), faults)
    tables = _tables(raw["tables"] + raw["cubes"], dict(dialects or {}), faults)
    entries = {name: of_table(table) for name, table in tables.items()}
    _views(raw["views"], tables, entries, faults)
    groups = _user_groups(raw["user_groups"], faults)
    links = Links(tables, paths(tables), faults)
    _check_joins(tables, faults)
    links.resolve()
    if faults.found:
        raise ModelErrors(sorted(faults.found, key=lambda one: (one.file, one.line)))
    return Model(
        tables=tables,
        entries=entries,
        user_groups=groups,
        references=links.references,
        uses=links.uses,
        leaves=links.leaves,
        paths=paths(tables),
        has_policies=any(map(_has_policies, tables.values())),
    )


def _sorted(tops: list[Said], faults: Faults) -> dict[str, list[Said]]:
    """The nouns of all files by their kind."""
    found: dict[str, list[Said]] = {key: [] for key in _TOP}
    for top in tops:
        for key, value in top.items():
            if key not in _TOP:
                faults.add(top.at(key), key, f"unknown key. Known: {', '.join(_TOP)}.")
            elif not keys.MAPPINGS.fits(value):
                faults.add(top.at(key), key, f"it is not {keys.MAPPINGS.words}")
            else:
                found[key] += value
    return found


def _tables(raws: list[Said], dialects: dict[str, str], faults: Faults) -> dict[str, Table]:
    make = Tables(faults, dialects)
    named = {str(raw.get("name")): raw for raw in raws}
    found: dict[str, Table] = {}
    aliases: set[str] = set()
    left = MAX_MEMBERS
    for raw in raws:
        whole = _extended(raw, named, faults)
        left -= 1 + sum(len(one) for one in whole.values() if keys.MAPPINGS.fits(one))
        if left < 0:
            faults.add(raw.place, str(raw.get("name")), _TOO_MANY)
        if left < 0 or len(faults.found) > MANY_FAULTS:
            break
        table = make.table(whole)
        if table is not None and (table.name in found or table.alias in aliases):
            faults.add(raw.place, table.name, "another table has this name")
        elif table is not None:
            found[table.name] = table
            aliases.add(table.alias)
    return found


def _extended(raw: Said, named: Mapping[str, Said], faults: Faults) -> Said:
    """What a table says, over what those say that it extends."""
    whole, over, seen = raw, raw.get("extends"), {str(raw.get("name"))}
    while over is not None:
        if over not in named or over in seen or len(seen) > MAX_PARENTS:
            words = f"cannot extend {over}"
            if len(seen) > MAX_PARENTS:
                words = f"it extends more than {MAX_PARENTS} tables, one over the other"
            faults.add(raw.at("extends"), f"{raw.get('name')}.extends", words)
            break
        seen.add(over)
        whole = _over(whole, named[over])
        over = named[over].get("extends")
    return whole


def _over(said: Said, base: Said) -> Said:
    merged = Said(said.place)
    for one in (base, said):
        for key, value in one.items():
            if value is None:
                # Nothing said: it must not do away with members, nor with their policies.
                continue
            listed = keys.MAPPINGS.fits(value) and keys.MAPPINGS.fits(merged.get(key))
            merged[key] = by_name(merged[key], value) if listed else value
            merged.places[key] = one.at(key)
    if {"sql", "sql_table"} <= merged.keys():
        merged.pop("sql" if said.get("sql") is None else "sql_table")
    if not {"public", "shown"} & said.keys():
        for key in ("public", "shown"):
            merged.pop(key, None)
    return merged


def _views(
    raws: list[Said], tables: Mapping[str, Table], entries: dict[str, Entry], faults: Faults
) -> None:
    make = Views(tables, faults)
    left = MAX_MEMBERS
    for raw in raws:
        view = make.view(raw)
        if view is not None:
            left -= 1 + len(view.measures) + len(view.dimensions) + len(view.segments)
        if left < 0:
            words = f"with it the views have more than {MAX_MEMBERS} members"
            faults.add(raw.place, str(raw.get("name")), words)
            break
        if view is not None and view.name in entries:
            faults.add(raw.place, view.name, "another table or view has this name")
        elif view is not None:
            entries[view.name] = view


def _user_groups(raws: list[Said], faults: Faults) -> tuple[UserGroup, ...]:
    """The groups in the order of the file, and `default` behind them if none has this name."""
    found: dict[str, UserGroup] = {}
    for raw in raws:
        name = str(raw.get("name", "user_groups"))
        said = keys.checked(raw, keys.USER_GROUP, name, faults, "name", "includes")
        if name in found:
            faults.add(raw.place, name, "another user group has this name")
        scopes: Any = said.get("api_scopes", SCOPES)
        found[name] = UserGroup(
            name,
            SCOPES & frozenset(scopes),
            ids(said.get("includes", ())),
            ids(said.get("excludes", ())),
            said.get("description"),
        )
    found.setdefault(EVERYBODY.name, EVERYBODY)
    return tuple(found.values())


def _check_joins(tables: Mapping[str, Table], faults: Faults) -> None:
    for table in tables.values():
        if table.joins and not table.keys:
            words = (
                f"primary key for '{table.name}' is required when join is defined in order to make"
                " aggregates work properly"
            )
            faults.add(table.place, table.name, words)
        for join in table.joins.values():
            if join.target not in tables:
                words = f"there is no table {join.target} to join"
                faults.add(join.place, f"{table.name}.joins.{join.target}", words)


def _has_policies(table: Table) -> bool:
    masked = any(one.mask for one in table.dimensions.values())
    return masked or any(one.groups for one in table.segments.values())
