"""The coder: what differs between models in the script that runs one."""

from collections.abc import Sequence

from agents.base import Failure, ScriptParts
from agents.label_maps import propose_label_map
from records.candidate import Candidate
from records.task import TaskSpec


class OfflineCoder:
    """Reads the classes by name and fills the templates with their defaults. It has nothing to try after a failure."""

    def write_parts(self, task: TaskSpec, candidate: Candidate, failures: Sequence[Failure]) -> ScriptParts | None:
        """Return the parts for this model; None after a failure, or where fewer than two labels can be told apart."""
        label_map = propose_label_map(task, candidate)
        if failures or len(label_map.covered()) < 2:
            return None
        return ScriptParts(label_map=label_map, reason=label_map.reason)
