"""Answers as codes: one label, and sets of labels."""

import numpy as np
import pytest

from records.task import CANNOT_TELL, LabelSpec, TaskSpec
from specialists.combination import NOT_ASKED
from specialists.label_space import LabelSets, LabelSpace, OneLabel, fill_unknown, make_space
from specialists.plain_vote import Method, vote_plainly

LABELS = ("joy", "anger", "fear")
ONE, SETS = OneLabel(LABELS), LabelSets(LABELS)
WEIGHTS = np.ones(4)


def test_a_task_says_which_answers_it_allows() -> None:
    task = TaskSpec(sentence="?", labels=tuple(LabelSpec(name=name) for name in LABELS), text_columns=("text",))
    assert make_space(task) == ONE
    assert make_space(task.model_copy(update={"kind": "multi_label"})) == SETS


@pytest.mark.parametrize(
    ("space", "answers"),
    [(ONE, ["joy", "fear"]), (SETS, [(), ("joy",), ("anger", "fear"), LABELS])],
    ids=["one label", "sets"],
)
def test_an_answer_is_its_code_and_back(space: LabelSpace, answers: list) -> None:
    codes = space.encode_all(answers)
    assert len(set(codes.tolist())) == len(answers)
    assert [space.decode(code) for code in codes.tolist()] == answers
    assert not (codes == NOT_ASKED).any()


@pytest.mark.parametrize(("space", "undecided"), [(ONE, CANNOT_TELL), (SETS, [CANNOT_TELL])], ids=["one label", "sets"])
def test_no_answer_has_no_code(space: LabelSpace, undecided: str | list[str]) -> None:
    assert space.encode_all([None, undecided]).tolist() == [NOT_ASKED, NOT_ASKED]
    assert (space.indicate(np.array([NOT_ASKED]), 3) == NOT_ASKED).all()
    with pytest.raises(ValueError, match="rage"):
        space.encode("rage" if space is ONE else ["rage"])


def test_a_set_has_no_order() -> None:
    assert SETS.encode(["fear", "joy"]) == SETS.encode(("joy", "fear"))
    assert SETS.decode(SETS.encode(["fear", "joy"])) == ("joy", "fear")


def test_what_probabilities_say() -> None:
    probs = np.array([[0.5, 0.3, 0.2], [0.1, 0.6, 0.9], [0.1, 0.2, 0.4]])
    assert [ONE.decode(code) for code in ONE.pick(probs).tolist()] == ["joy", "fear", "fear"]
    codes = SETS.pick(probs)
    assert [SETS.decode(code) for code in codes.tolist()] == [("joy",), ("anger", "fear"), ()]
    lower = SETS.pick(probs, np.array([0.5, 0.5, 0.2]))
    assert [SETS.decode(code) for code in lower.tolist()] == [("joy", "fear"), ("anger", "fear"), ("fear",)]
    np.testing.assert_allclose(SETS.rate(probs, codes), [0.5 * 0.7 * 0.8, 0.9 * 0.6 * 0.9, 0.9 * 0.8 * 0.6])
    np.testing.assert_allclose(ONE.rate(probs, ONE.pick(probs)), [0.5, 0.9, 0.4])


def test_sets_are_compared_by_f1() -> None:
    own = SETS.encode_all([("joy",), ("joy", "anger"), (), ()])
    truth = SETS.encode_all([("joy",), ("joy", "fear"), (), ("joy",)])
    np.testing.assert_allclose(SETS.compare(own, truth), [1.0, 0.5, 1.0, 0.0])


def test_rare_labels_count_in_balanced_accuracy() -> None:
    truth = SETS.encode_all([("joy",)] * 3 + [("joy", "fear")])
    assert SETS.judge(truth, truth, WEIGHTS).value == 1.0
    # fear is always missed; joy, which every row has, and anger, which none has, tell nothing.
    assert SETS.judge(SETS.encode_all([("joy",)] * 4), truth, WEIGHTS).value == 0.5
    assert SETS.judge(SETS.encode_all([()] * 4), SETS.encode_all([()] * 4), WEIGHTS).value == 0.5


def test_that_most_rows_lack_most_labels_is_no_likeness() -> None:
    first = SETS.encode_all([(), (), (), ("joy",)])
    assert SETS.resemble(first, first, WEIGHTS) == 1.0
    assert SETS.resemble(first, SETS.encode_all([(), (), (), ("fear",)]), WEIGHTS) == 0.0
    assert SETS.resemble(first * 0, first * 0, WEIGHTS) == 0.0


def test_who_says_nothing_of_a_label_leaves_it_to_the_others() -> None:
    both = np.stack([np.full((2, 3), 0.9), SETS.mark_unknown(np.full((2, 3), 0.2), {"joy"})])
    filled = fill_unknown(both)
    np.testing.assert_allclose(filled[1], [[0.2, 0.9, 0.9]] * 2)
    np.testing.assert_allclose(filled[0], 0.9)
    vote = vote_plainly(both, np.ones(2), "soft", SETS)
    assert [SETS.decode(code) for code in vote.label.tolist()] == [LABELS] * 2
    nobody = fill_unknown(SETS.mark_unknown(np.full((1, 3), 0.7), {"joy"})[None])
    np.testing.assert_allclose(nobody, [[[0.7, 0.0, 0.0]]])
    np.testing.assert_array_equal(ONE.mark_unknown(both[0], {"joy"}), both[0])


def test_a_model_is_not_blamed_for_labels_that_it_does_not_know() -> None:
    truth = SETS.encode_all([("joy", "fear"), ("anger",)])
    assert [SETS.decode(code) for code in SETS.restrict(truth, {"joy", "anger"}).tolist()] == [("joy",), ("anger",)]
    assert ONE.restrict(np.array([2]), {"joy"}).tolist() == [2]


@pytest.mark.parametrize("method", ["soft", "majority", "dawid_skene"])
def test_each_label_of_a_set_is_voted_on_by_itself(method: Method) -> None:
    rng = np.random.default_rng(0)
    gold = rng.random((300, 3)) < (0.5, 0.3, 0.3)
    right = rng.random((3, 300, 3)) < 0.85
    probs = np.where(right == gold, 0.8, 0.2)
    vote = vote_plainly(probs, np.ones(3), method, SETS)
    alone = [
        vote_plainly(np.stack([1.0 - probs[:, :, k], probs[:, :, k]], axis=2), np.ones(3), method) for k in range(3)
    ]
    np.testing.assert_array_equal(SETS.indicate(vote.label, 3), np.column_stack([one.label for one in alone]))
    np.testing.assert_allclose(vote.confidence, np.prod([one.confidence for one in alone], axis=0))
    own = SETS.pick(probs)
    np.testing.assert_allclose(vote.agreement, (own == vote.label).mean(axis=0))
    assert (SETS.indicate(vote.label, 3) == gold).mean() > 0.9
