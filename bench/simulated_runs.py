"""Runs with a known truth, for the certificate's benchmark: a stream, an expert, a vote that learns, and an audit."""

from dataclasses import dataclass, replace

import numpy as np
from sklearn.linear_model import LogisticRegression

from bench.rates import SimulatedRun
from specialists.arrays import Booleans, Floats, Integers
from specialists.audit import (
    DIFFERS,
    LOOK,
    SAME,
    UNANSWERED,
    AuditPlan,
    AuditRecord,
    Looks,
    choose_step,
    draw_order,
    make_tests,
    read_looks,
)
from specialists.audit_planning import choose_start, plan_audit
from specialists.certificate import Statement, count_allowed, rule_out, share_error, state_certified, state_missed

CONFIDENCE = 0.95
TARGET = 0.10
STAGES = 3
OVERRULED = 0.98
"""A reviewed row keeps the vote's label where the vote is so sure of it: what differs then counts."""


@dataclass(frozen=True)
class World:
    """What kind of stream and expert. `accuracy`: how often the expert is right; `unanswered`: how often it is silent;
    `drift`: how far the second half's features have moved; `copies`: the share of rows that repeat another's bytes."""

    rows: int = 3000
    accuracy: float = 0.85
    unanswered: float = 0.0
    drift: float = 0.0
    copies: float = 0.0


@dataclass(frozen=True)
class Labelled:
    """A stream at some moment, arrays of (n_rows,). `label` and `answer` are 0 or 1; `group` is shared by copies."""

    label: Integers
    answer: Integers
    answered: Booleans
    reviewed: Booleans
    risk: Floats
    group: Integers

    @property
    def differs(self) -> Booleans:
        """Which labels differ from the expert's; one without an answer counts as different."""
        return (self.label != self.answer) | ~self.answered

    def review(self, rows: Integers) -> "Labelled":
        """Return the stream after the expert's answers to the rows and to their copies were taken."""
        seen = np.isin(self.group, self.group[rows])
        label = np.where(seen & self.answered, self.answer, self.label)
        return replace(self, label=label, reviewed=self.reviewed | seen)


@dataclass(frozen=True)
class Played:
    """A run's end: what it states, whether that is true, its reviews since the learning, and the stream after it."""

    statement: Statement
    true: bool
    reviews: int
    after: Labelled


def make_stream(rng: np.random.Generator, world: World) -> tuple[Floats, Labelled]:
    """Return the specialists' scores (n_rows, 4), and the stream before anything is known of it.

    The expert errs mostly on hard rows: on one in the middle between the classes three times as often as elsewhere.
    """
    originals = max(int(world.rows * (1.0 - world.copies)), 1)
    source = np.concatenate([np.arange(originals), (originals * rng.random(world.rows - originals) ** 3).astype(int)])
    truth = (rng.random(originals) < 0.4).astype(np.int64)
    scores = rng.normal(size=(originals, 4)) + np.outer(truth - 0.5, [1.2, 0.8, 0.6, 0.2])
    scores[originals // 2 :, :2] += world.drift
    hard = 1.0 + 2.0 * np.exp(-np.square(scores @ [1.2, 0.8, 0.6, 0.2]))
    wrong = rng.random(originals) < (1.0 - world.accuracy) * hard / hard.mean()
    answer, answered = np.where(wrong, 1 - truth, truth), rng.random(originals) >= world.unanswered
    shuffled = source[rng.permutation(world.rows)]
    foreign = scores @ [0.2, 0.6, 1.0, 0.8] + 0.5  # specialists of another corpus: their own weights and threshold
    label = (foreign[shuffled] > 0).astype(np.int64)
    nobody = np.zeros(world.rows, dtype=np.bool_)
    risk = 0.5 * np.exp(-np.abs(foreign[shuffled]))
    return scores[shuffled], Labelled(label, answer[shuffled], answered[shuffled], nobody, risk, shuffled)


def learn(rng: np.random.Generator, scores: Floats, stream: Labelled, allowed: int | None) -> Labelled:
    """Return the stream after its learning: in each stage the riskiest rows and a spot check are reviewed, and labels
    and risks are fitted to the answers. `allowed`: the target's rows, None without one."""
    for stage in range(STAGES):
        unreviewed = np.flatnonzero(~stream.reviewed)
        if allowed is None:
            size = len(stream.label) // 15
        else:
            room = max(allowed - int((stream.reviewed & stream.differs).sum()), 0)
            start = choose_start(np.sort(stream.risk[unreviewed])[::-1], room)
            size = max(start // (STAGES - stage), 60)
        riskiest = unreviewed[np.argsort(-stream.risk[unreviewed], kind="stable")[:size]]
        stream = _fit(scores, stream.review(np.concatenate([riskiest, rng.choice(unreviewed, size=40)])))
    return stream


def _fit(scores: Floats, stream: Labelled) -> Labelled:
    """Return the stream with the labels and risks of a classifier taught by the reviewed rows, and a reviewed row's
    answer taken unless the classifier is very sure of the other label."""
    known = stream.reviewed & stream.answered
    model = LogisticRegression(solver="newton-cholesky").fit(scores[known], stream.answer[known])
    one = model.predict_proba(scores)[:, 1]
    voted = (one > 0.5).astype(np.int64)
    sure = np.maximum(one, 1.0 - one)
    label = np.where(known & (sure < OVERRULED), stream.answer, voted)
    return replace(stream, label=label, risk=1.0 - sure)


def play_target(
    rng: np.random.Generator,
    stream: Labelled,
    target: float,
    errors: tuple[float, float],
    *,
    most: int | None = None,
) -> Played:
    """Audit a stream under a target, looked at after every 25 rows, and widen it until it is certified.

    `errors`: the error probability of the certificate, and that of the bound that is stated where the budget, `most`
    further reviews, ends it.
    """
    audit = _Audit(rng, stream, count_allowed(len(stream.label), target), errors[0])
    hopeless = rule_out(len(stream.label), audit.allowed, audit.known, 0)
    if hopeless:
        return Played(hopeless, True, 0, stream)
    look, widened, budget = 0, 0, most
    while True:
        plan, looks = audit.plan, audit.read(look)
        step = choose_step(plan, looks, look=look, widened=widened, most=budget)
        if step.kind == "draw":
            look += 1
        elif step.kind == "stop" or step.amount is None:
            return audit.give_up(look, widened, errors[1])
        else:
            widened = step.amount
            statement = state_certified(plan, looks, step, audit.count_unanswered(widened), look=look)
            if statement:
                after = audit.find_after(look, widened)
                return Played(statement, _is_true(statement, after), audit.count_reviews(look, widened), after)
        budget = None if most is None else most - audit.count_reviews(look, widened)


class _Audit:
    """One audit of one stream; its whole order of draws is known from the start."""

    def __init__(self, rng: np.random.Generator, stream: Labelled, allowed: int, error: float) -> None:
        unreviewed = np.flatnonzero(~stream.reviewed)
        self.stream, self.allowed = stream, allowed
        self.rows = unreviewed[np.argsort(-stream.risk[unreviewed], kind="stable")]
        self.known = int((stream.reviewed & stream.differs).sum())
        self.order = draw_order(len(self.rows), int(rng.integers(2**31)))
        silent = 1.0 - float(stream.answered[stream.reviewed].mean()) if stream.reviewed.any() else 0.0
        if self.known <= allowed:
            self.plan: AuditPlan = plan_audit(
                stream.risk[self.rows],
                rows=len(stream.label),
                allowed=allowed,
                known=self.known,
                error=error,
                unanswered_rate=silent,
            )
            self.tests = make_tests(self.plan)
            self.looks: Looks | None = None

    def read(self, look: int) -> Looks:
        """Return the looks so far and, to save time, some to come."""
        if self.looks is None or look >= len(self.looks.ends):
            draws = min(len(self.order), 2 * LOOK * look + LOOK * 24)
            self.looks = read_looks(self.plan, self._record(draws), self.tests)
        return self.looks

    def _record(self, draws: int) -> AuditRecord:
        positions, stream = self.order[:draws], self.stream
        differs, answered = stream.differs[self.rows], stream.answered[self.rows]
        outcomes = np.where(~answered, UNANSWERED, np.where(differs, DIFFERS, SAME))[positions]
        groups, first = np.unique(stream.group[self.rows[positions]], return_index=True)
        seen = np.flatnonzero(differs & answered & np.isin(stream.group[self.rows], groups))
        when = first[np.searchsorted(groups, stream.group[self.rows[seen]])] + 1
        return AuditRecord(
            positions=tuple(positions.tolist()),
            outcomes=tuple(outcomes.tolist()),
            corrected=tuple(zip(when.tolist(), seen.tolist(), strict=True)),
        )

    def _seen(self, look: int, widened: int) -> Integers:
        drawn = self.order[: int(self.read(look).ends[look])]
        return np.union1d(drawn, np.arange(self.plan.amounts[widened]))

    def count_reviews(self, look: int, widened: int) -> int:
        """Return how many distinct texts were reviewed in the audit and in widening."""
        return len(np.unique(self.stream.group[self.rows[self._seen(look, widened)]]))

    def count_unanswered(self, widened: int) -> int:
        """Return how many rows of the widened part have no answer."""
        return int((~self.stream.answered[self.rows[: self.plan.amounts[widened]]]).sum())

    def find_after(self, look: int, widened: int) -> Labelled:
        """Return the stream after the audit and the widening."""
        return self.stream.review(self.rows[self._seen(look, widened)])

    def give_up(self, look: int, widened: int, error: float) -> Played:
        """Return the run that ended before its target was met."""
        after = self.find_after(look, widened)
        mended = int(self.stream.differs.sum() - after.differs.sum())
        statement = state_missed(self.plan, self.read(look), known=self.known, mended=mended, error=error, look=look)
        return Played(statement, _is_true(statement, after), self.count_reviews(look, widened), after)


def _is_true(statement: Statement, stream: Labelled) -> bool:
    return statement.differing is None or int(stream.differs.sum()) <= statement.differing


def play(rng: np.random.Generator, name: str, stream: Labelled) -> SimulatedRun:
    """Play a run's only audit, under the target and without a limit."""
    played = play_target(rng, stream, TARGET, (share_error(CONFIDENCE, 0), share_error(CONFIDENCE, 1)))
    return SimulatedRun(
        scenario=name,
        verdict=played.statement.verdict,
        violated=not played.true,
        reviews=played.reviews,
        differing=int(played.after.differs.sum()),
    )
