"""Models are read from files, and every fault of them is named with its place."""

import textwrap
from typing import Any

import pytest

from app.semantic.model import Caller, Model, ModelErrors, group_of, load, meta, scopes_of
from app.semantic.model.titles import title
from tests.semantic.places import files, model

PLAIN = """
tables:
  - name: orders
    sql_table: shop.orders
    dimensions:
      - name: id
        sql: id
        type: number
        primary_key: true
      - name: status
        column: status
        type: string
    measures:
      - name: count
        type: count
"""


def _load(text: str, **more: str) -> Model:
    return load({"tables/a.yml": textwrap.dedent(text), **more})


def _with(addition: str) -> str:
    """The plain model with something more on its table."""
    return PLAIN + textwrap.indent(textwrap.dedent(addition).strip("\n"), "    ") + "\n"


def _faults(text: str) -> list[str]:
    with pytest.raises(ModelErrors) as refused:
        _load(text)
    return [str(one) for one in refused.value.errors]


FAULTS = {
    "unknown key": (
        _with("colour: red"),
        "tables/a.yml:16: orders.colour: unknown key.",
    ),
    "wrong type": (
        PLAIN.replace("type: count", "type: total"),
        "tables/a.yml:15: orders.count.type: 'total' is not one of count,",
    ),
    "wrong value": (
        _with("public: maybe"),
        "tables/a.yml:16: orders.public: 'maybe' is not true or false",
    ),
    "name": (
        PLAIN.replace("name: orders", "name: 1st"),
        "tables/a.yml:3: 1st.name: '1st' is not a name of letters",
    ),
    "missing": (
        PLAIN.replace("        column: status\n", ""),
        "tables/a.yml:10: orders.status: give one of sql, column, case,",
    ),
    "no sql": (
        PLAIN.replace("type: count", "type: sum"),
        "tables/a.yml:14: orders.count: sql is missing; only a count",
    ),
    "both sources": (
        PLAIN.replace("sql_table: shop.orders", "sql: select 1\n    sql_table: x"),
        "tables/a.yml:3: orders: give one of sql and sql_table",
    ),
    "twice": (
        PLAIN.replace("name: status", "name: id"),
        "tables/a.yml:10: orders.id: it is twice among the dimensions",
    ),
    "two kinds": (
        PLAIN.replace("name: count", "name: status"),
        "tables/a.yml:14: orders.status: another member has this name",
    ),
    "two tables": (
        PLAIN + PLAIN.replace("\ntables:\n", ""),
        "tables/a.yml:16: orders: another table has this name",
    ),
    "unknown reference": (
        PLAIN.replace("column: status", 'sql: "upper({state})"'),
        "tables/a.yml:11: orders.status: {state} is neither a table nor a member",
    ),
    "table as a value": (
        PLAIN.replace("column: status", 'sql: "upper({TABLE})"'),
        "tables/a.yml:11: orders.status: {TABLE} is a table; write {TABLE}.column",
    ),
    "member as a table": (
        PLAIN.replace("column: status", 'sql: "{id}.x"'),
        "tables/a.yml:11: orders.status: {id} is no table",
    ),
    "reference in quotes": (
        PLAIN.replace("column: status", "sql: \"'{TABLE}'\""),
        "tables/a.yml:11: orders.status.sql: a reference in braces stands inside quotes",
    ),
    "cycle": (
        PLAIN.replace("column: status", 'sql: "{status}"'),
        "tables/a.yml:10: orders.status: it refers to itself: orders.status -> orders.status",
    ),
    "measure in a dimension": (
        PLAIN.replace("column: status", 'sql: "{count}"'),
        "tables/a.yml:10: orders.status: {orders.count} is a measure; a dimension needs sub_query",
    ),
    "measure of a measure": (
        PLAIN.replace("type: count", 'type: sum\n        sql: "{count}"'),
        "tables/a.yml:14: orders.count: it refers to itself",
    ),
    "sub-query of itself": (
        PLAIN.replace("column: status", 'sql: "{most}"\n        sub_query: true')
        + '      - {name: most, type: max, sql: "{status}"}\n',
        "tables/a.yml:10: orders.status: its sub_query needs itself, by orders.most",
    ),
    "sub-query of no measure": (
        PLAIN.replace("column: status", 'sql: "{id}"\n        sub_query: true'),
        "tables/a.yml:10: orders.status: a sub_query counts a measure",
    ),
    "sub-query out of reach": (
        PLAIN.replace("column: status", 'sql: "{far.count}"\n        sub_query: true')
        + "  - {name: far, sql_table: far, measures: [{name: count, type: count}]}\n",
        "tables/a.yml:10: orders.status: no joins lead from orders to far",
    ),
    "no SQL": (
        PLAIN.replace("column: status", 'sql: "status ||"'),
        "tables/a.yml:11: orders.status.sql: ",
    ),
    "two expressions": (
        PLAIN.replace("column: status", 'sql: "a, b"'),
        "tables/a.yml:11: orders.status.sql: it is not one expression",
    ),
    "more than an expression": (
        PLAIN.replace("column: status", 'sql: "a from b"'),
        "tables/a.yml:11: orders.status.sql: it is not an expression",
    ),
    "two statements": (
        PLAIN.replace("column: status", 'sql: "a; drop table b"'),
        "tables/a.yml:11: orders.status.sql: it is not one statement",
    ),
    "parameter": (
        PLAIN.replace("column: status", 'sql: "$1"'),
        "tables/a.yml:11: orders.status.sql: it has a parameter",
    ),
    "no select": (
        PLAIN.replace("sql_table: shop.orders", "sql: delete from orders"),
        "tables/a.yml:4: orders.sql: it is not a select",
    ),
    "no table's name": (
        PLAIN.replace("shop.orders", "orders join items"),
        "tables/a.yml:4: orders.sql_table: ",
    ),
    "join to nothing": (
        _with('joins: [{name: items, relationship: one_to_many, sql: "{TABLE}.id = 1"}]'),
        "tables/a.yml:16: orders.joins.items: there is no table items to join",
    ),
    "join without a key": (
        _with('joins: [{name: orders, relationship: one_to_one, sql: "{TABLE}.id = 1"}]').replace(
            "        primary_key: true\n", ""
        ),
        "tables/a.yml:3: orders: primary key for 'orders' is required when join is defined in order"
        " to make aggregates work properly",
    ),
    "join by a measure": (
        _with('joins: [{name: orders, relationship: one_to_one, sql: "{TABLE}.id = {count}"}]'),
        "tables/a.yml:16: orders.orders: {count} is counted over many rows and cannot join",
    ),
    "join by a third table": (
        _with('joins: [{name: orders, relationship: one_to_one, sql: "{TABLE}.id = {far}.id"}]')
        + "  - {name: far, sql_table: far}\n",
        "tables/a.yml:16: orders.orders: {far} is of neither of the two tables",
    ),
    "relationship": (
        _with('joins: [{name: orders, relationship: many, sql: "{TABLE}.id = 1"}]'),
        "tables/a.yml:16: orders.orders.relationship: 'many' is not one of one_to_one,",
    ),
    "window": (
        PLAIN.replace("type: count", "type: count\n        rolling_window: {trailing: a month}"),
        "tables/a.yml:16: orders.count.rolling_window.trailing: 'a month' is neither an interval",
    ),
    "window without reach": (
        PLAIN.replace("type: count", "type: count\n        rolling_window: {offset: end}"),
        "tables/a.yml:16: orders.count.rolling_window: say trailing or leading",
    ),
    "filters of a ratio": (
        PLAIN.replace("type: count", 'type: number\n        sql: "1"\n        filters: [{sql: "2"}]'),
        "tables/a.yml:17: orders.count.filters: a measure of type number has no filters",
    ),
    "refresh key": (
        _with("refresh_key: {every: sometimes}"),
        "tables/a.yml:16: orders.refresh_key.every: 'sometimes' is neither an interval",
    ),
    "drill member": (
        PLAIN.replace("type: count", "type: count\n        drill_members: [nobody]"),
        "tables/a.yml:14: orders.count.drill_members: no member orders.nobody",
    ),
    "mask": (
        PLAIN.replace("column: status", "column: status\n        meta: {secure: {func: blur, user_groups: x}}"),
        "tables/a.yml:12: orders.status.meta.secure.func: 'blur' is not one of redact, md5",
    ),
    "mask for nobody": (
        PLAIN.replace("column: status", "column: status\n        meta: {secure: {func: md5}}"),
        "tables/a.yml:12: orders.status.meta.secure: user_groups is missing",
    ),
    "view of nothing": (
        PLAIN + "views:\n  - name: v\n    tables:\n      - join_path: items\n",
        "tables/a.yml:19: v.tables: there is no table items",
    ),
    "view without a join": (
        PLAIN + "views:\n  - name: v\n    tables:\n      - join_path: orders.orders\n",
        "tables/a.yml:19: v.tables: orders has no join to orders",
    ),
    "view of no member": (
        PLAIN + "views:\n  - name: v\n    tables:\n      - {join_path: orders, includes: [x]}\n",
        "tables/a.yml:19: v.tables.includes: orders has no member x",
    ),
    "view with two": (
        PLAIN
        + "views:\n  - name: v\n    tables:\n      - {join_path: orders, includes: [count, count]}\n",
        "tables/a.yml:19: v.count: two members have this name",
    ),
    "user group": (
        PLAIN + "user_groups:\n  - name: a\n",
        "tables/a.yml:17: a: includes is missing",
    ),
    "unknown top": (PLAIN + "macros: []\n", "tables/a.yml:16: macros: unknown key."),
    "no list": ("tables: orders", "tables/a.yml:1: tables: it is not a list of mappings"),
    "no YAML": ("tables: [", "tables/a.yml:1: this is no YAML"),
    "no mapping": ("- a", "tables/a.yml:1: a file of a model begins with tables:"),
    "template": ("a: b\nc: {{ nothing }}", "tables/a.yml:1: template: 'nothing' is undefined"),
    "template with no end": ("{% if %}", "tables/a.yml:1: template:"),
    "unknown sql": (
        PLAIN.replace("sql_table: shop.orders", "sql: load_sql('nothing')"),
        "tables/a.yml:4: this is no YAML: there is no sqls/nothing.sql",
    ),
    "extends": (_with("extends: nobody"), "tables/a.yml:16: orders.extends: cannot extend nobody"),
}  # fmt: skip


@pytest.mark.parametrize(("text", "fault"), FAULTS.values(), ids=FAULTS)
def test_a_fault_is_named_with_its_file_line_and_path(text: str, fault: str) -> None:
    found = _faults(text)
    assert any(one.startswith(fault) for one in found), found


def test_all_faults_of_all_files_are_told_at_once() -> None:
    with pytest.raises(ModelErrors) as refused:
        load({"a.yml": PLAIN.replace("number", "n"), "b.yml": "views: 1", "c.txt": "no model"})
    assert [one.file for one in refused.value.errors] == ["a.yml", "b.yml"]


def test_templates_and_sql_files_are_filled_in() -> None:
    text = """
        {% macro dimension(name) %}{name: {{ name }}, type: string, sql: {{ name }}}{% endmacro %}
        tables:
          - name: one
            sql: {{ load_sql('some') }}
            dimensions:
            {% for name in ['a', 'b'] %}
              - {{ dimension(name) }}
            {% endfor %}
          - name: two
            sql: load_sql('some')
    """
    found = _load(text, **{"sqls/some.sql": "select *\nfrom t\nwhere a > 1;\n"})
    assert list(found.tables["one"].dimensions) == ["a", "b"]
    for table in found.tables.values():
        assert table.source.sql() == "SELECT * FROM t WHERE a > 1"


def test_templates_can_neither_reach_out_nor_grow_without_end() -> None:
    assert "unsafe" in _faults("a: {{ ''.__class__.__mro__ }}")[0]
    grown = "{% for a in range(99999) %}{% for b in range(99) %}longer {% endfor %}{% endfor %}"
    assert "more than" in _faults(grown)[0]
    for greedy in ("{{ 10 ** (10 ** 10) }}", "{{ 'a' * 10 ** 9 }}"):
        assert "too much time or memory" in _faults(f"a: {greedy}")[0]
    aliases = "a: &a [x,x,x,x,x,x,x,x,x]\n" + "".join(
        f"{new}: &{new} [{','.join([f'*{old}'] * 9)}]\n"
        for old, new in zip("abcdef", "bcdefg", strict=True)
    )
    assert "more than" in _faults(aliases)[0]


def test_models_of_cube_load() -> None:
    found = _load(PLAIN.replace("tables:", "cubes:"))
    assert list(found.tables) == ["orders"]


def test_a_table_extends_another() -> None:
    text = PLAIN.replace("sql_table", "public: false\n    sql_table") + (
        "  - name: big_orders\n"
        "    extends: orders\n"
        "    sql: select * from shop.orders where shipping > 100\n"
        "    dimensions:\n"
        '      - {name: status, sql: "upper({TABLE}.status)", type: string}\n'
    )
    found = _load(text).tables["big_orders"]
    assert list(found.dimensions) == ["id", "status"]
    assert found.dimensions["status"].sql.tree.sql() == 'UPPER("{TABLE}".status)'
    assert found.dimensions["id"].path == "big_orders.id"
    assert list(found.measures) == ["count"]
    assert found.public


def test_a_primary_key_is_hidden_unless_it_is_said_to_be_public() -> None:
    assert not _load(PLAIN).entries["orders"].dimensions["id"].public
    shown = PLAIN.replace("primary_key: true", "primary_key: true\n        public: true")
    assert _load(shown).entries["orders"].dimensions["id"].public
    hidden = PLAIN.replace("column: status", "column: status\n        shown: false")
    assert not _load(hidden).entries["orders"].dimensions["status"].public


@pytest.mark.parametrize(
    ("said", "meant"),
    [
        ("{every: 10 minutes}", {"every": 600}),
        ("{every: 1 hour, sql: select max(id) from t}", {"every": 3600, "sql": "select max(id) from t"}),
        ("{every: '0 8 * * *', timezone: Asia/Tokyo}", {"cron": "0 8 * * *"}),
        ("{immutable: true}", {"immutable": True}),
    ],
)  # fmt: skip
def test_refresh_keys(said: str, meant: dict[str, Any]) -> None:
    key = _load(_with(f"refresh_key: {said}")).tables["orders"].refresh_key
    assert {name: getattr(key, name) for name in meant} == meant


def test_names_become_titles() -> None:
    assert title("lyon_or_porto") == "Lyon or Porto"
    assert title("placed_at") == "Placed at"
    assert title("of_the_house") == "Of the House"
    assert title("orderCount2") == "Order Count2"


@pytest.mark.parametrize(
    ("user", "group", "scopes"),
    [
        ("rita", "reader", {"meta"}),
        ("ana", "analyst", {"meta", "data"}),
        ("bob", "default", {"meta", "data", "graphql"}),
        ("mallory", None, set()),
    ],
)
def test_the_first_group_that_a_caller_belongs_to_decides(
    user: str, group: str | None, scopes: set[str]
) -> None:
    found = group_of(model(), Caller(user))
    assert (found.name if found else None) == group
    assert scopes_of(model(), Caller(user)) == scopes


def test_a_credential_can_name_a_group() -> None:
    assert scopes_of(model(), Caller("key-1", ("reader",))) == {"meta"}
    # Whom a group leaves out, no credential brings in.
    assert scopes_of(model(), Caller("mallory", ("default",))) == set()


def test_a_users_name_cannot_pass_for_the_mark_of_another() -> None:
    found = group_of(model(), Caller("users:id:ana"))
    assert found and found.name == "default"


def test_without_a_group_of_that_name_everybody_is_in_default() -> None:
    without = {path: text for path, text in files().items() if path != "user_groups.yml"}
    assert scopes_of(load(without), Caller()) == {"meta", "data", "graphql"}
    some = load({**without, "g.yml": "user_groups: [{name: a, includes: [x], api_scopes: [jobs]}]"})
    assert scopes_of(some, Caller("x")) == set()
    assert scopes_of(some, Caller("y")) == {"meta", "data", "graphql"}


def test_meta_shows_hidden_members_and_sql_only_when_asked() -> None:
    names = {one["name"] for one in meta(model(), Caller(), name="m")["tables"]}
    assert "ledger" not in names
    every = meta(model(), Caller(), name="m", dev_mode=True, extended=True)["tables"]
    ledger = next(one for one in every if one["name"] == "ledger")
    assert not ledger["public"]
    assert ledger["sql"] == "select 1 as id, 'x' as label"
    orders = next(one for one in every if one["name"] == "orders")
    assert orders["joins"][0] == {
        "name": "customers",
        "relationship": "many_to_one",
        "sql": "{TABLE}.customer_id = {customers.id}",
    }
