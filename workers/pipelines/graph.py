"""A run's steps as a graph: what can begin, what waits for what, how a dynamic block fans out.

A dynamic block's step is followed by copies of the steps behind it, one for each of its items:
`child:one`, `child:two`, and behind these `after:0`, `after:1`, up to a block that reduces. The plain
step of a block that has copies stays as their controller: it is done when all of them are.
"""

import time
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from app.pipelines.reads import RunPlan
from app.runs.fenced import NewStep
from workers.pipelines.calls import Input, Output

MAX_ITEMS = 1000
MAX_COPIES = 2000
ENDED = frozenset({"succeeded", "failed", "skipped", "upstream_failed", "cancelled"})


class CannotFanOut(Exception):
    """A dynamic block whose items cannot be run; the text says why."""


@dataclass
class Node:
    """One step. `due` and `begun` are monotonic seconds: not before, and when it first began."""

    name: str
    step_id: int
    position: int
    upstream: tuple[str, ...]
    status: str = "pending"
    params: Mapping[str, Any] = field(default_factory=dict)
    outputs: tuple[Output, ...] = ()
    tries: int = 0
    due: float = 0.0
    begun: float | None = None

    @property
    def block(self) -> str:
        """The uuid of the block that it runs."""
        return self.name.partition(":")[0]

    @property
    def is_controller(self) -> bool:
        """Whether it only waits for copies of itself."""
        return "copies" in self.params

    @property
    def item(self) -> int | None:
        """Which item of a dynamic block's it is about."""
        return self.params.get("item")


class Graph:
    """All steps of one run, by name and in order."""

    def __init__(self, nodes: Iterable[Node]) -> None:
        self.nodes = {node.name: node for node in nodes}

    @classmethod
    def of(cls, plan: RunPlan) -> "Graph":
        """The graph as the ledger has it; what was at work when a worker was lost begins again."""
        now = time.monotonic()
        nodes = []
        for step in plan.steps:
            status = step["status"] if step["status"] in ENDED else "pending"
            waits = step["wait_s"] if status == "pending" else None
            since = step["since_s"]
            nodes.append(
                Node(
                    step["name"],
                    step["id"],
                    step["position"],
                    tuple(plan.upstream(step)),
                    status,
                    step["params"] or {},
                    tuple(_output(stored) for stored in step["outputs"]),
                    step["tries"],
                    now + float(waits or 0),
                    None if since is None else now - float(since),
                )
            )
        return cls(nodes)

    def __getitem__(self, name: str) -> Node:
        return self.nodes[name]

    def having(self, *statuses: str) -> list[Node]:
        """Steps in one of these states."""
        return [node for node in self.nodes.values() if node.status in statuses]

    def startable(self) -> list[Node]:
        """Steps that wait for no other step, whether or not their time has come."""
        waiting = self.having("pending", "queued")
        return [n for n in waiting if all(self[u].status == "succeeded" for u in n.upstream)]

    def blocked(self) -> list[tuple[Node, str]]:
        """Steps that cannot run any more, each with the state in which it ends."""
        found = []
        for node in self.having("pending", "queued"):
            ends = {self[u].status for u in node.upstream}
            if ends & {"failed", "upstream_failed", "cancelled"}:
                found.append((node, "upstream_failed"))
            elif "skipped" in ends:
                found.append((node, "skipped"))
        return found

    def inputs(self, node: Node) -> tuple[Input, ...]:
        """What a step's block gets of each upstream step."""
        return tuple(self._input(node, self[name]) for name in node.upstream)

    def _input(self, node: Node, upstream: Node) -> Input:
        if upstream.is_controller:
            copies = (self[name] for name in upstream.upstream)
            return Input(tuple(copy.outputs for copy in copies), is_list=True)
        item = node.item if node.params.get("source") == upstream.name else None
        return Input((upstream.outputs,), item=item)

    def fan_out(
        self,
        source: str,
        keys: Sequence[str],
        *,
        is_dynamic: Callable[[str], bool],
        reduces: Callable[[str], bool],
    ) -> tuple[list[NewStep], list[NewStep]]:
        """Copies for the steps behind a dynamic one, and the originals, which become controllers.

        Raises CannotFanOut for a second dynamic block on the way, and for too many copies.
        """
        fanned = self._fanned(source, reduces)
        for name in fanned:
            if is_dynamic(name) or self[name].is_controller:
                raise CannotFanOut(
                    f"Block {name} is behind two dynamic blocks. Reduce the output of one of them "
                    "first (configuration.reduce_output)."
                )
        if len(keys) > MAX_ITEMS or len(keys) * len(fanned) > MAX_COPIES:
            raise CannotFanOut(
                f"A dynamic block may have {MAX_ITEMS} items and a run {MAX_COPIES} copies of "
                f"blocks; here are {len(keys)} items for {len(fanned)} blocks."
            )

        def copy_name(name: str, item: int) -> str:
            return f"{name}:{keys[item] if source in self[name].upstream else item}"

        copies, originals = [], []
        for name in fanned:
            node = self[name]
            made = []
            for item in range(len(keys)):
                upstream = [
                    copy_name(u, item) if u in fanned and not reduces(u) else u
                    for u in node.upstream
                ]
                params = {"source": source, "item": item}
                made.append(NewStep(copy_name(name, item), node.position, upstream, params))
            copies += made
            kept = {"source": source, "copies": len(made), "upstream": list(node.upstream)}
            names = [copy.name for copy in made]
            originals.append(NewStep(name, node.position, names, kept))
        return copies, originals

    def _fanned(self, source: str, reduces: Callable[[str], bool]) -> list[str]:
        found: list[str] = []
        spreading = [source]
        while spreading:
            above = spreading.pop()
            for node in self.nodes.values():
                needs = node.params.get("upstream", node.upstream)
                if above in needs and ":" not in node.name and node.name not in found:
                    found.append(node.name)
                    if not reduces(node.name):
                        spreading.append(node.name)
        return found

    def apply(
        self, copies: Sequence[NewStep], originals: Sequence[NewStep], ids: Mapping[str, int]
    ) -> None:
        """Take over what was written to the ledger."""
        for step in originals:
            node = self[step.name]
            node.upstream, node.params = tuple(step.upstream), step.params
        for step in copies:
            upstream = tuple(step.upstream)
            made = Node(step.name, ids[step.name], step.position, upstream, params=step.params)
            self.nodes.setdefault(step.name, made)


def _output(stored: Mapping[str, Any]) -> Output:
    return Output(**{name: stored[name] for name in Output.__dataclass_fields__})
