"""Who judges label maps: for tasks with one label a text, and for tasks with sets of labels."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass

from specialists.arrays import Floats, Integers
from specialists.class_maps import ClassMap, Verify, can_judge, find_contradiction, read_classes, verify_map
from specialists.label_space import LabelSpace
from specialists.set_maps import can_judge_sets, contradict_set_map, read_set_classes, verify_set_map


@dataclass(frozen=True)
class MapJudge:
    """The functions of `class_maps`, or those of `set_maps` in their places."""

    can_judge: Callable[[Integers], bool]
    find_contradiction: Callable[[Floats, Integers, ClassMap, Sequence[str]], str | None]
    read_classes: Callable[[Floats, ClassMap, Sequence[str]], Floats]
    verify: Verify


ONE_LABEL = MapJudge(can_judge, find_contradiction, read_classes, verify_map)
LABEL_SETS = MapJudge(can_judge_sets, contradict_set_map, read_set_classes, verify_set_map)


def choose_judge(space: LabelSpace) -> MapJudge:
    """Return who judges the maps of a task."""
    return LABEL_SETS if space.several else ONE_LABEL
