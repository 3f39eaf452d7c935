"""The demo's third part: a semantic model of the shop, and a question to it over REST."""

from importlib import resources
from typing import Any

from app.cli._demo_call import Caller, DemoFailed, say

QUESTION = {"measures": ["orders.revenue", "orders.count"], "dimensions": ["customers.city"]}
TRIES = 60

_PUSH = """
mutation ($files: JSON!) {
  semanticModelCreate(input: {files: $files, note: "The demo's shop."}) {
    model { version } errors { message }
  }
}"""


def load(call: Caller) -> None:
    """Push the model, and ask it, as often as it says that the answer takes longer."""
    made = call.graphql(_PUSH, files=_files())["semanticModelCreate"]
    if made["errors"]:
        raise DemoFailed(f"the model has a fault: {made['errors'][0]['message']}")
    say(f"\nThe semantic model of the shop has version {made['model']['version']}.")
    answer = _answer(call)
    say("Revenue by city, as a client of Lens or Cube asks for it:")
    for row in answer["data"]:
        city, revenue = row["customers.city"], float(row["orders.revenue"])
        say(f"  {city:<12} {revenue:>12,.2f}  {row['orders.count']} orders")


def _answer(call: Caller) -> Any:
    for _ in range(TRIES):
        answer = call.question("/v2/load", {"query": QUESTION})
        if answer.get("error") != "Continue wait":
            return answer
    raise DemoFailed("the model did not answer in time")


def _files() -> dict[str, str]:
    root = resources.files("examples.demo") / "model"
    found: dict[str, str] = {}

    def walk(folder: Any, prefix: str) -> None:
        for one in folder.iterdir():
            if one.is_dir():
                walk(one, f"{prefix}{one.name}/")
            elif one.name.endswith(".yml"):
                found[prefix + one.name] = one.read_text()

    walk(root, "")
    return found
