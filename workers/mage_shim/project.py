"""The functions of `mage_ai` that tell a block about its project and its run."""

import logging
from typing import Any

from workers.pipelines import hand_over
from workers.pipelines.calls import BlockCall

_log = logging.getLogger("mage_ai")


class Project:
    """The project and the run of one call."""

    def __init__(self, call: BlockCall) -> None:
        self.call = call

    def get_repo_path(self, *_: Any, **__: Any) -> str:
        """The project's folder."""
        return str(self.call.work_dir)

    def get_secret_value(self, name: str, *_: Any, **options: Any) -> str | None:
        """A secret of the project; None, and a warning, if there is none of that name."""
        if name not in self.call.secrets and not options.get("suppress_warning"):
            _log.warning("This project has no secret %s.", name)
        return self.call.secrets.get(name)

    def get_variable(
        self, pipeline_uuid: str, block_uuid: str, variable_uuid: str = "output_0", **_: Any
    ) -> Any:
        """An output of an upstream block of this run; LookupError for any other."""
        uuids = [block.uuid for block in self.call.upstream]
        if pipeline_uuid != self.call.pipeline_uuid or block_uuid not in uuids:
            raise LookupError(
                f"Only outputs of upstream blocks of this run can be read: {', '.join(uuids)}. "
                f"{pipeline_uuid}/{block_uuid} is none; make it an upstream block."
            )
        outputs = self.call.inputs[uuids.index(block_uuid)].outputs
        for output in outputs:
            if output.name == variable_uuid:
                return hand_over.read_value((output,), self.call.storage)
        names = ", ".join(output.name for output in outputs) or "none"
        raise LookupError(f"Block {block_uuid} has no output {variable_uuid}. It has: {names}.")

    def get_global_variable(self, pipeline_uuid: str, key: str, **_: Any) -> Any:
        """A variable of this run; None if there is none of that name."""
        if pipeline_uuid != self.call.pipeline_uuid:
            raise LookupError(f"Variables of pipeline {pipeline_uuid} cannot be read here.")
        return self.call.kwargs.get(key)
