"""The pilot of the forecast: the rows that the specialists annotated for the audition, and how the stages would see
them."""

import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pyarrow.parquet as pq

from graphs.annotations import class_probs_of, merge_shards, shards_for, write_shards
from graphs.choice import LEAST_WORTH
from graphs.context import RunContext
from graphs.engine import Assignment, Receipt
from graphs.expert import takes_answers
from graphs.fetching import have_voters
from graphs.jobs import list_voters, weigh_voters
from graphs.reviewing import CALIBRATION_STEP, EVIDENCE, PROBE_STEP, gather_testimony, number_step
from graphs.state import RunState
from graphs.tables import find_filled_rows, read_texts
from records.errors import ModelError
from records.folder import read_record
from records.review_book import BookedReview, ReviewBook
from records.rows import SCRIPT_TEXTS, RowText, read_row_texts
from specialists.arrays import Floats, Integers
from specialists.calibrated_vote import LEAST_TAUGHT, ReviewedRows
from specialists.combination import NOT_ASKED
from specialists.embedding import LANDMARKS
from specialists.forecast import PilotRows
from specialists.label_space import LabelSpace, fill_unknown, make_space
from specialists.map_judges import choose_judge
from specialists.plain_vote import vote_plainly
from specialists.probe import draw_pool
from specialists.weighing import fit_weighing

_ALL = 2**62


@dataclass(frozen=True)
class Pilot:
    """`numbers`, `texts` (n_pilot,): the rows; `probs` (n_specialists, n_pilot, n_labels); `seconds` (n_specialists,):
    what each specialist took for a row."""

    numbers: Integers
    texts: list[RowText]
    probs: Floats
    seconds: Floats


@dataclass(frozen=True)
class Outlook:
    """The pilot as the stages would see it: its rows, the `worth` of a review on the scale of their values, or the
    `target` until which they are reviewed instead, and the share of the reviewed rows whose label differs from the
    reviewer's answer, or that got none."""

    rows: PilotRows
    worth: float
    known_rate: float
    target: float | None = None


def hold_pilot(context: RunContext, state: RunState) -> Pilot:
    """Return the pilot. Under a given lock there was no audition: the specialists annotate rows for it now.

    Raises ModelError where all of them fail at that.
    """
    folder = context.folder.scratch / "audition"
    names = [one.name for one in list_voters(context.folder, state)]
    if context.given_lock is not None:
        names = _annotate(context, state, folder)
    inputs, space = sorted(folder.glob("rows-*.parquet")), make_space(context.read_task())
    read_classes = choose_judge(space).read_classes
    maps = {one.name: one.label_map.classes for one in list_voters(context.folder, state)}
    rows = [pq.read_table(path) for path in inputs]
    probs, seconds = [], []
    for name in names:
        shards = shards_for(inputs, name)
        probs.append(read_classes(class_probs_of(merge_shards(shards, space)), maps[name], space.labels))
        seconds.append(sum(read_record(shard.receipt, Receipt).seconds for shard in shards))
    numbers = np.array([number for table in rows for number in table["id"].to_pylist()], dtype=np.int64)
    texts = [text for table in rows for text in read_row_texts(table, SCRIPT_TEXTS)]
    return Pilot(numbers, texts, fill_unknown(np.stack(probs)), np.array(seconds) / max(len(numbers), 1))


def _annotate(context: RunContext, state: RunState, folder: Path) -> list[str]:
    """Have the specialists of a lock annotate a pool as large as an audition's; return those that could."""
    settings = context.settings
    population = find_filled_rows(context.folder, state["rows"], settings.shard_size)
    drawn = draw_pool(len(population), settings.probe_size * settings.probe_pool, settings.seed)
    numbers = population[drawn].tolist()
    texts = read_texts(context.folder, numbers, settings.shard_size)
    inputs = write_shards(folder, numbers, texts, settings.shard_size)
    jobs, _ = have_voters(context, state)
    failures = context.engine.annotate([Assignment(job, shards_for(inputs, job.name), classes=True) for job in jobs])
    able = [job.name for job in jobs if job not in failures]
    if not able:
        raise ModelError(
            "; ".join(failures.values()), next_step=f"autoannotator resume {context.folder.path} tries again."
        )
    return able


def look_ahead(context: RunContext, state: RunState, pilot: Pilot) -> Outlook:
    """Return how the stages would see the pilot, by what is reviewed so far: the vote that they begin with, but for the
    specialists' hidden states, which the pilot does not have."""
    settings, source, space = context.settings, context.team.reviewer.source, make_space(context.read_task())
    booked = context.reviews.list_labelled(number_step(0, "risk"), _ALL)
    asked = [one for step in (PROBE_STEP, CALIBRATION_STEP) for one in context.reviews.list_step(step)]
    unanswered = sum(one.review.answer is None for one in asked)
    if settings.vote == "calibrated" and (source in EVIDENCE or len(booked) >= LEAST_TAUGHT):
        value, differs, wrong, unlike = _look_calibrated(pilot, context.reviews, booked, space)
        is_taught = True
    else:
        vote = vote_plainly(pilot.probs, weigh_voters(context.folder, state), settings.vote, space)
        value = differs = wrong = 1.0 - vote.confidence
        unlike, is_taught = 0, False
    known_rate = (unanswered + (0 if takes_answers(context) else unlike)) / max(len(asked), 1)
    own = space.pick(pilot.probs)
    disputed = (own != own[:1]).any(axis=0).astype(np.float64)
    if settings.rule == "disagreement":
        return Outlook(PilotRows(disputed, differs), 0.5, known_rate)
    if source == "offline":  # it gets all that it may see, or nothing: see graphs/choice.py
        return Outlook(PilotRows(disputed + value, differs), np.inf if is_taught else 0.0, known_rate)
    if settings.target_error is not None and takes_answers(context):
        return Outlook(PilotRows(differs, differs), settings.worth, known_rate, settings.target_error)
    if settings.target_error is not None:
        return Outlook(PilotRows(value, wrong), settings.worth, known_rate, settings.target_error)
    return Outlook(PilotRows(value, differs), max(settings.worth, LEAST_WORTH), known_rate)


def _look_calibrated(
    pilot: Pilot, reviews: ReviewBook, booked: Sequence[BookedReview], space: LabelSpace
) -> tuple[Floats, Floats, Floats, int]:
    """Return each row's value, the probability that the reviewer differs, and that the vote is wrong (n_pilot,), and
    how many of the reviewer's answers so far are not the label that the vote takes after them."""
    place_of = {int(number): place for place, number in enumerate(pilot.numbers)}
    known = [one for one in booked if one.review.row in place_of]
    said = gather_testimony(reviews, known, space)
    probs = pilot.probs[:, [place_of[one.review.row] for one in known]]
    fitted = fit_weighing(ReviewedRows(probs=probs, states=None, **vars(said)), space)
    weighing, opinion = fitted.weighing, fitted.form_opinion(pilot.probs, None)
    unlike = int(((said.truth == NOT_ASKED) & (weighing.pick(fitted.after) != said.answers)).sum())
    prior = weighing.predict(opinion)
    wrong = 1.0 - space.rate(prior, weighing.pick(prior))
    return weighing.expect_gains(opinion), weighing.expect_differences(opinion), wrong, unlike


def measure_fit(pilot: Pilot, rows: int, seed: int, space: LabelSpace) -> float:
    """Return the seconds that fitting the vote to so many reviewed rows takes here: to the pilot's votes over and over,
    and made-up hidden states."""
    places = np.arange(max(rows, LEAST_TAUGHT)) % len(pilot.numbers)
    probs = pilot.probs[:, places]
    said = space.pick(probs.mean(axis=0))
    nobody, nothing = np.full(len(places), NOT_ASKED), np.full(len(places), np.nan)
    states = np.random.default_rng(seed).normal(size=(len(places), LANDMARKS)) / np.sqrt(LANDMARKS)
    began = time.monotonic()
    fit_weighing(ReviewedRows(probs, states, said, nobody, nothing, np.ones(len(places))), space)
    return time.monotonic() - began
