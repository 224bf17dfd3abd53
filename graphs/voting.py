"""The vote of a stage: from the specialists' opinions, and from what reviewers have said so far, to labels.

Everything here follows from the run's files up to a step, so that a node that runs again decides the same.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

import numpy as np
import pyarrow as pa

from graphs.annotations import features_of, merge_shards, probs_of, read_probs, shards_for, write_shards
from graphs.context import RunContext
from graphs.expert import takes_answers
from graphs.jobs import mark_unknown, weigh_voters
from graphs.reviewing import EVIDENCE, TRUTH, ReviewStep, apply_reviews, gather_testimony
from graphs.state import RunState
from graphs.tables import DIFFERS, OPINION, StageRows, read_stage_rows, spread, tabulate_vote
from graphs.taught import TaughtSet, find_untaught, first_step, list_taught
from records.folder import write_json, write_table, written_whole
from records.review_book import BookedReview, key_of_text
from records.rows import Answer, RowText
from specialists.arrays import Booleans, Floats, Integers
from specialists.calibrated_vote import LEAST_TAUGHT, ReviewedRows
from specialists.combination import NOT_ASKED
from specialists.embedding import LANDMARKS, Matrix, fit_embedding
from specialists.label_space import LabelSpace, fill_unknown, make_space
from specialists.plain_vote import vote_plainly
from specialists.risk import estimate_risk
from specialists.vote import VoteResult
from specialists.weighing import FittedWeighing, fit_weighing, record_weighing


@dataclass(frozen=True)
class StageVote:
    """The vote over a stage's annotated rows.

    `result`: before anybody's answer to a row, out of fold where a row taught the vote. `disputed` (n_rows,): the
    specialists do not all say the same. `value` (n_rows,): the errors that a review is expected to remove; `differs`
    (n_rows,): the probability that a reviewer says otherwise. `after` (n_rows, n_labels): with the answers as
    evidence; None where answers are taken as they are.
    """

    result: VoteResult
    disputed: Booleans
    value: Floats
    differs: Floats
    after: Floats | None
    taught: int
    """The rows that the vote was fitted to."""
    fitted: FittedWeighing | None = None
    opinion: Floats | None = None
    """(n_rows, n_columns): what `fitted` decides by."""


@dataclass(frozen=True)
class StageView:
    """The files of one stage, as the vote reads them. Arrays and lists are of its annotated rows, in their order."""

    context: RunContext
    state: RunState

    @property
    def stage(self) -> int:
        return self.state["stage"]

    @property
    def models(self) -> list[str]:
        """The specialists that vote, in the lock's order."""
        return list(self.state["versions"])

    @property
    def scratch(self) -> Path:
        return self.context.folder.scratch / f"stage-{self.stage:04d}"

    @cached_property
    def rows(self) -> StageRows:
        """All rows of the stage, those without a text too."""
        return read_stage_rows(
            self.context.folder, self.stage, self.state["stage_size"], self.context.settings.shard_size
        )

    @cached_property
    def filled(self) -> Integers:
        """The places of the annotated rows in the stage: those with a text."""
        return np.flatnonzero(~self.rows.empty)

    @cached_property
    def texts(self) -> list[RowText]:
        return [self.rows.text[place] for place in self.filled]

    @cached_property
    def inputs(self) -> tuple[Path, ...]:
        """The shard files to annotate."""
        numbers = self.rows.number[self.filled].tolist()
        return write_shards(self.scratch, numbers, self.texts, self.context.settings.shard_size)

    @cached_property
    def own_probs(self) -> Floats:
        """(n_specialists, n_rows, n_labels), NaN where a specialist says nothing of a label."""
        probs = read_probs(self.context.folder, self.stage, self.models)
        return mark_unknown(self.context.folder, self.state, self.space, probs)

    @cached_property
    def probs(self) -> Floats:
        """(n_specialists, n_rows, n_labels), as they enter the vote."""
        return fill_unknown(self.own_probs)

    @cached_property
    def space(self) -> LabelSpace:
        return make_space(self.context.read_task())

    @cached_property
    def annotations(self) -> dict[str, pa.Table]:
        """Each specialist's annotations, with hidden states."""
        return {model: merge_shards(shards_for(self.inputs, model), self.space) for model in self.models}

    @cached_property
    def features(self) -> Matrix:
        """The specialists' hidden states side by side (n_rows, n_features)."""
        return np.concatenate([features_of(table) for table in self.annotations.values()], axis=1)

    def step(self, number: int) -> ReviewStep:
        return ReviewStep(number=number, reviews=self.context.reviews, rows=self.rows)


def hold_vote(view: StageView, before: int) -> StageVote:
    """Return the vote over a stage from what was answered before a step."""
    settings, source = view.context.settings, view.context.team.reviewer.source
    disputed = _find_disputed(view)
    if settings.vote == "calibrated" and len(view.filled):
        known = len(view.context.reviews.list_labelled(before, LEAST_TAUGHT))
        if source in EVIDENCE or known == LEAST_TAUGHT:
            return _hold_calibrated(view, _gather_lesson(view, before), disputed, before)
    weights = weigh_voters(view.context.folder, view.state)
    result = vote_plainly(view.probs, weights, settings.vote, view.space)
    risk = estimate_risk(result)
    return StageVote(result, disputed, risk, risk, None, 0)


def tabulate_stage(view: StageView, vote: StageVote, before: int) -> pa.Table:
    """Return the stage's label table: the vote, and what was answered before a step."""
    table = tabulate_vote(
        view.rows, view.own_probs, vote.result, stage=view.stage, space=view.space, models=view.models
    )
    if vote.opinion is not None:
        for name, values in ((OPINION, vote.opinion.tolist()), (DIFFERS, vote.differs.tolist())):
            column = pa.array(spread(values, view.filled, len(table)), table.schema.field(name).type)
            table = table.set_column(table.schema.get_field_index(name), name, column)
    booked = view.step(before).booked()
    return apply_reviews(table, booked, _decide(view, vote, booked))


def write_stage(view: StageView, before: int) -> None:
    """Write the stage's labels by what was answered before a step, and the parameters that a later answer is weighed
    by."""
    vote = hold_vote(view, before)
    folder = view.context.folder
    if vote.fitted is not None:
        record = record_weighing(vote.fitted, view.models)
        write_json(folder.combination(view.stage), record.model_dump(mode="json"))
    write_table(folder.stage_labels(view.stage), tabulate_stage(view, vote, before))


def _decide(
    view: StageView, vote: StageVote, booked: Sequence[BookedReview | None]
) -> list[tuple[Answer, float] | None] | None:
    """Return label and confidence of every row by all that is known of it; None where answers stand as given."""
    if vote.after is None or vote.fitted is None:
        return None
    best = vote.fitted.weighing.pick(vote.after)
    if takes_answers(view.context):
        said = _read_answers(view, booked, EVIDENCE | TRUTH)
        best = np.where(said == NOT_ASKED, best, said)
    sure = view.space.rate(vote.after, best).tolist()
    decided = [(view.space.decode(code), confidence) for code, confidence in zip(best.tolist(), sure, strict=True)]
    weighed = spread(decided, view.filled, len(view.rows.text))
    return [one if booking is not None else None for one, booking in zip(weighed, booked, strict=True)]


def _find_disputed(view: StageView) -> Booleans:
    own = view.space.pick(view.probs)
    return np.asarray((own != own[:1]).any(axis=0))


@dataclass(frozen=True)
class _Lesson:
    """What the vote is fitted to, and the key of each row's text."""

    rows: ReviewedRows
    keys: list[str]
    states: Matrix
    """The embedded hidden states of the stage (n_rows, n_coordinates)."""


def _gather_lesson(view: StageView, before: int) -> _Lesson:
    """Return the rows that somebody labelled before a step, as the specialists see them."""
    sets = list_taught(view.context, view.stage)
    own = _list_own(view, before)
    states, known = _embed(view, sets)
    reviews = [booked for one in sets for booked in one.reviews] + [booked for booked, _ in own]
    places = [place for _, place in own]
    probs = np.stack([_read_known(view, sets, model)[0] for model in view.models])
    known_probs = fill_unknown(mark_unknown(view.context.folder, view.state, view.space, probs))
    rows = ReviewedRows(
        probs=np.concatenate([known_probs, view.probs[:, places]], axis=1),
        states=np.concatenate([known, states[places]]),
        **vars(gather_testimony(view.context.reviews, reviews, view.space)),
    )
    keys = [key_of_text(*text) for one in sets for text in one.read_texts()]
    return _Lesson(rows, keys + [view.step(before).keys[view.filled[place]] for place in places], states)


def _list_own(view: StageView, before: int) -> list[tuple[BookedReview, int]]:
    """Return this stage's labelled reviews before a step, each with its place among the annotated rows."""
    found = view.context.reviews.list_labelled(before, len(view.rows.text), from_step=first_step(view.stage))
    place_of = {int(number): place for place, number in enumerate(view.rows.number[view.filled])}
    return sorted(((one, place_of[one.review.row]) for one in found), key=lambda pair: pair[1])


def _read_known(view: StageView, sets: Sequence[TaughtSet], model: str) -> tuple[Floats, Matrix]:
    """Return one specialist's probabilities and hidden states of earlier stages' rows, set after set, none of them by
    a version that the row taught."""
    version = view.state["versions"][model]
    untaught = find_untaught(view.context.folder, model, version)
    tables = [one.read_annotations(model, version, untaught, view.space) for one in sets]
    if not tables:
        width = features_of(view.annotations[model]).shape[1]
        return np.zeros((0, len(view.space.labels))), np.zeros((0, width), dtype=np.float32)
    return np.concatenate([probs_of(one) for one in tables]), np.concatenate([features_of(one) for one in tables])


def _embed(view: StageView, sets: Sequence[TaughtSet]) -> tuple[Matrix, Matrix]:
    """Return the coordinates of the stage's rows and of earlier stages': computed once a stage, then read back."""
    path = view.scratch / "states.npz"
    if not path.exists():
        features = view.features
        known = np.concatenate([_read_known(view, sets, model)[1] for model in view.models], axis=1)
        # A last stage of a few rows tells little of how states lie: earlier ones, the latest first, make up for it.
        typical = np.concatenate([features, known[: max(0, LANDMARKS - len(features))]])
        embedding = fit_embedding(typical, view.context.settings.seed)
        stage, earlier = (embedding.embed(one).astype(np.float32) for one in (features, known))
        with written_whole(path) as temporary, temporary.open("wb") as file:
            np.savez(file, stage=stage, known=earlier)
    with np.load(path) as kept:
        return kept["stage"], kept["known"]


def _hold_calibrated(view: StageView, lesson: _Lesson, disputed: Booleans, before: int) -> StageVote:
    fitted, space = fit_weighing(lesson.rows, view.space), view.space
    weighing, opinion = fitted.weighing, fitted.form_opinion(view.probs, lesson.states)
    prior = weighing.predict(opinion)
    value, differs = weighing.expect_gains(opinion), weighing.expect_differences(opinion)
    booked = view.step(before).booked()
    answers = _read_answers(view, booked, EVIDENCE | TRUTH)
    unsaid = np.full(len(answers), np.nan)  # of those that taught it, fit_vote has read the sureness too
    after = weighing.weigh_answers(opinion, answers, unsaid)
    prior, after = _put_taught(view, lesson, fitted, prior, after)
    truth = _read_answers(view, booked, TRUTH)  # however many rows there are for the vote to learn from
    after[truth != NOT_ASKED] = space.indicate(truth[truth != NOT_ASKED], prior.shape[1])
    label = weighing.pick(prior)
    result = VoteResult(
        label=label,
        mean=prior,
        confidence=space.rate(prior, label),
        agreement=(space.pick(view.probs) == label).mean(axis=0),
    )
    return StageVote(result, disputed, value, differs, after, len(lesson.keys), fitted, opinion)


def _read_answers(view: StageView, booked: Sequence[BookedReview | None], sources: frozenset[str]) -> Integers:
    """Return what these sources said of each annotated row or its copy, NOT_ASKED where nothing; `booked` is of all
    rows."""
    given = [booked[place] for place in view.filled]
    return view.space.encode_all([one.review.answer if one and one.review.source in sources else None for one in given])


def _put_taught(
    view: StageView, lesson: _Lesson, fitted: FittedWeighing, prior: Floats, after: Floats
) -> tuple[Floats, Floats]:
    """Return both with the rows that taught the vote, and their copies, as a vote that they did not teach has them."""
    place_of = {key: place for place, key in enumerate(lesson.keys)}
    keys = view.step(0).keys
    pairs = [(row, place_of[keys[place]]) for row, place in enumerate(view.filled) if keys[place] in place_of]
    if pairs:
        rows, places = map(list, zip(*pairs, strict=True))
        prior[rows], after[rows] = fitted.before[places], fitted.after[places]
    return prior, after
