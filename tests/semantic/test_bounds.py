"""Models that nobody could read in time are refused, by the name of the file."""

import asyncio

import pytest

from app.semantic.model import ModelErrors, apart, load
from app.semantic.model.fragments import MAX_SQL
from app.semantic.model.load import MAX_MEMBERS, MAX_PARENTS
from app.semantic.model.texts import MAX_DEPTH, MAX_FILE, MAX_VALUES

MEASURES = ", ".join(f"{{name: m{n}, type: count}}" for n in range(600))
MANY = f"tables:\n  - {{name: b, sql_table: t, measures: [{MEASURES}]}}\n"
LAUGHS = "a: &a [x,x,x,x,x,x,x,x,x,x]\n" + "\n".join(
    f"{new}: &{new} [{','.join([f'*{old}'] * 10)}]"
    for old, new in zip("abcdefgh", "bcdefghi", strict=True)
)
GOOD = 'tables:\n  - {name: a%s, sql: "select 1 as x -- %s"}\n'


def _fault(files: dict[str, str]) -> str:
    with pytest.raises(ModelErrors) as refused:
        load(files)
    return str(refused.value)


@pytest.mark.parametrize(
    ("text", "words"),
    [
        (f"a: {'x' * MAX_FILE}", f"it has more than {MAX_FILE} characters"),
        (f"tables: [{'1,' * MAX_VALUES * 2}]", "more than"),
        (f"tables: {'[' * 200_000}", f"it is nested more than {MAX_DEPTH} deep"),
        ("\n".join(f"{' ' * n}a:" for n in range(600)), f"nested more than {MAX_DEPTH} deep"),
        (LAUGHS, f"with it the model has more than {MAX_VALUES} values"),
        (
            MANY + "".join(f"  - {{name: t{n}, extends: b}}\n" for n in range(2000)),
            f"with it the model has more than {MAX_MEMBERS} tables, members, joins",
        ),
        (
            MANY + "views:\n" + "".join(
                f"  - {{name: v{n}, tables: [{{join_path: b, includes: '*'}}]}}\n"
                for n in range(2000)
            ),
            f"with it the views have more than {MAX_MEMBERS} members",
        ),
        (
            "tables:\n" + "".join(
                f"  - {{name: t{n}, sql_table: t, extends: t{n + 1}}}\n" for n in range(300)
            ),
            f"t0.extends: it extends more than {MAX_PARENTS} tables",
        ),
        (
            f"tables:\n  - {{name: b, sql: \"select {'+'.join('a' * (MAX_SQL // 2))}\"}}\n",
            f"b.sql: it has more than {MAX_SQL} characters",
        ),
    ],
    ids=["long", "flat", "deep", "deep block", "laughs", "members", "views", "parents", "sql"],
)  # fmt: skip
def test_too_much_is_refused_in_its_file(text: str, words: str) -> None:
    told = _fault({"tables/good.yml": GOOD % ("", ""), "tables/large.yml": text})
    first = told.partition("\n")[0]
    assert first.startswith("tables/large.yml:") and words in first


def test_the_values_of_all_files_count() -> None:
    half = "a: [" + "1," * (MAX_VALUES // 2) + "]"
    told = _fault({"a.yml": half, "b.yml": half})
    assert f"b.yml:1: this cannot be read: with it the model has more than {MAX_VALUES}" in told


def test_of_faults_there_is_an_end() -> None:
    with pytest.raises(ModelErrors) as refused:
        load({"a.yml": "tables:\n" + "".join(f"  - {{nam: t{n}}}\n" for n in range(5000))})
    assert 500 < len(refused.value.errors) < 600


async def test_a_long_model_is_checked_in_a_process_of_its_own(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(apart, "load", None)
    good = {f"tables/{n}.yml": GOOD % (n, "x" * 20_000) for n in range(4)}
    await apart.check(good, {})
    bad = {**good, "tables/bad.yml": "tables:\n  - name: b\n    colour: red\n"}
    with pytest.raises(ModelErrors, match=r"tables/bad.yml:3: b.colour: unknown key"):
        await apart.check(bad, {"default": "duckdb"})


async def test_one_that_takes_too_long_is_given_up(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(apart, "CPU_S", 2)
    sql = "+".join("a" * (MAX_SQL // 2 - 10))
    slow = {f"tables/{n}.yml": GOOD.replace("1 as x", sql) % (n, "") for n in range(9)}
    slow["tables/largest.yml"] = slow.pop("tables/0.yml") + "# the largest of them\n"
    beats = 0

    async def beat() -> None:
        nonlocal beats
        while True:
            await asyncio.sleep(0.01)
            beats += 1

    beating = asyncio.create_task(beat())
    with pytest.raises(ModelErrors, match=r"tables/largest.yml:1: the model takes more than 2 s"):
        await apart.check(slow, {})
    beating.cancel()
    assert beats > 20
