"""Checks of a pipeline's graph: block uuid -> uuids of its upstream blocks."""

from collections.abc import Mapping, Sequence

Graph = Mapping[str, Sequence[str]]


def find_cycle(graph: Graph) -> list[str] | None:
    """A cycle as `a, b, a` in the direction of the data, or None."""
    done: set[str] = set()
    for start in graph:
        path: list[str] = []
        stack: list[tuple[str, int]] = [(start, 0)]
        while stack:
            node, index = stack.pop()
            if index == 0:
                if node in done:
                    continue
                path.append(node)
            upstream = [u for u in graph.get(node, ()) if u in graph]
            if index < len(upstream):
                stack.append((node, index + 1))
                following = upstream[index]
                if following in path:
                    cycle = path[path.index(following) :]
                    return [following, *reversed(cycle)]
                stack.append((following, 0))
            else:
                done.add(node)
                path.pop()
    return None


def downstream(graph: Graph, uuid: str) -> list[str]:
    """Blocks that take `uuid`'s output directly, in the graph's order."""
    return [node for node, upstream in graph.items() if uuid in upstream]


def descendants(graph: Graph, uuid: str) -> set[str]:
    """Every block that depends on `uuid`, at any distance."""
    found: set[str] = set()
    queue = [uuid]
    while queue:
        for node in downstream(graph, queue.pop()):
            if node not in found:
                found.add(node)
                queue.append(node)
    return found
