"""Makes pipelines over GraphQL and follows their runs."""

import time
from collections.abc import Mapping, Sequence
from typing import Any

import httpx2

ENDED = ("SUCCEEDED", "FAILED", "CANCELLED")
RUN = """query($id: ID!) { run(id: $id) {
  id status reason error attempt
  ... on PipelineRun { number pipelineUuid variables }
  steps { number name status reason error traceback attempt
          outputs { name kind rows sample } startedAt finishedAt }
  logs(first: 100) { nodes { step level message } }
} }"""


class Graph:
    """A GraphQL caller that fails the test on any error."""

    def __init__(self, client: httpx2.Client) -> None:
        self._client = client

    def __call__(self, query: str, **variables: Any) -> Any:
        """The data of one operation."""
        body = {"query": query, "variables": variables}
        answer = self._client.post("/v2/graphql", json=body)
        found = answer.json()
        assert "errors" not in found, found
        return found["data"]

    def pipeline(self, name: str, blocks: Mapping[str, tuple[str, Sequence[str]]]) -> str:
        """Make a pipeline of custom blocks: name -> (code, upstream names). Returns its uuid."""
        made = self(
            "mutation($n: String!) { pipelineCreate(input: {name: $n}) "
            "{ pipeline { uuid } errors { message } } }",
            n=name,
        )["pipelineCreate"]
        assert made["errors"] == []
        uuid = str(made["pipeline"]["uuid"])
        for block, (code, upstream) in blocks.items():
            self.block(uuid, block, code, upstream)
        return uuid

    def block(
        self, pipeline: str, name: str, code: str, upstream: Sequence[str], **more: Any
    ) -> None:
        """Add a block; `type` is CUSTOM unless given, and what only an update takes is set so."""
        made = {"pipeline": {"uuid": pipeline}, "name": name, "content": code, "type": "CUSTOM"}
        later = {n: more.pop(n) for n in ("retryConfig", "timeoutS") if n in more}
        self._done("blockCreate", {**made, "upstreamBlocks": list(upstream), **more})
        if later:
            path = {"path": {"pipeline": pipeline, "block": name}}
            self._done("blockUpdate", {"by": path, **later})

    def cancel(self, run_id: str) -> None:
        """Cancel a run."""
        self._done("pipelineRunCancel", {"by": {"id": run_id}})

    def _done(self, mutation: str, given: Mapping[str, Any]) -> None:
        kind = mutation[0].upper() + mutation[1:]
        query = f"mutation($i: {kind}Input!) {{ {mutation}(input: $i) {{ errors {{ message }} }} }}"
        assert self(query, i=given)[mutation]["errors"] == []

    def start(self, pipeline: str, variables: Mapping[str, Any] | None = None) -> str:
        """Start a run of a pipeline; returns its id."""
        started = self(
            "mutation($p: String!, $v: JSON) { pipelineRunCreate(input: {of: {pipeline: "
            "{uuid: $p}}, variables: $v}) { run { id } errors { message } } }",
            p=pipeline,
            v=variables,
        )["pipelineRunCreate"]
        assert started["errors"] == []
        return str(started["run"]["id"])

    def ended(self, run_id: str, within_s: float = 60) -> Any:
        """The run once it has ended, with steps by name as `steps`."""
        deadline = time.monotonic() + within_s
        while True:
            run = self(RUN, id=run_id)["run"]
            if run["status"] in ENDED:
                run["steps"] = {step["name"]: step for step in run["steps"]}
                return run
            assert time.monotonic() < deadline, f"not ended within {within_s} s: {run}"
            time.sleep(0.03)
