"""Asks the expert about the rows of an audit, in an order that nothing found in it can change."""

from collections.abc import Mapping

import numpy as np

from agents.base import ReviewRequest, ReviewRow
from graphs.audit_files import AuditDesign, Population
from graphs.audit_rows import NO_LABEL
from graphs.context import RunContext
from graphs.reviewing import gather_known, number_step, read_ballots
from graphs.state import RunState
from graphs.tables import read_row_ids, read_stage_labels, read_texts
from records.review_book import BookedReview, key_of_bytes
from records.rows import ROW, Answer, Review, RowText
from specialists.arrays import Integers
from specialists.audit import DIFFERS, SAME, UNANSWERED, AuditRecord
from specialists.label_space import make_space

Ballots = Mapping[str, Answer]


class Auditor:
    """Asks about rows of one audit by their places in the order of risk; texts that are the same to the byte are asked
    about once. Every answer is in the review book before it is used, and what is there is not asked again."""

    def __init__(self, context: RunContext, state: RunState, design: AuditDesign, population: Population) -> None:
        self._context = context
        self._state = state
        self._first_step = number_step(state["stages"], "risk")
        self._step = self._first_step + design.number
        self.population = population
        self._space = make_space(context.read_task())
        places = dict(zip(population.row.tolist(), range(len(population.row)), strict=True))
        self._answers: dict[int, int] = {}
        for booked in context.reviews.list_step(self._step):
            self._take(places[booked.review.row], booked.review)

    def _take(self, place: int, review: Review) -> None:
        self._answers[int(self.population.group[place])] = self._space.encode(review.answer)

    def ask(self, places: Integers) -> bool:
        """Have the rows at these places reviewed, in this order; return whether there was money for all of them.

        Raises LLMUnreachableError.
        """
        groups = self.population.group[places]
        first = np.sort(np.unique(groups, return_index=True)[1])
        wanted = [place for place in places[first].tolist() if int(self.population.group[place]) not in self._answers]
        if not wanted:
            return True
        numbers = self.population.row[wanted].tolist()
        shard_size = self._context.settings.shard_size
        texts, ids = (
            read_texts(self._context.folder, numbers, shard_size),
            read_row_ids(self._context.folder, numbers, shard_size),
        )
        reviews = self._review(numbers, texts)
        facts = {
            number: (place, text, row_id)
            for number, place, text, row_id in zip(numbers, wanted, texts, ids, strict=True)
        }
        self._context.reviews.record(
            [key_of_bytes(*facts[one.row][1]) for one in reviews],
            [BookedReview(step=self._step, row_id=facts[one.row][2], review=one) for one in reviews],
        )
        for one in reviews:
            self._take(facts[one.row][0], one)
        return len(reviews) == len(numbers)

    def _review(self, numbers: list[int], texts: list[RowText]) -> tuple[Review, ...]:
        settings = self._context.settings
        ballots = self._read_ballots(numbers) if settings.show_votes else {}
        request = ReviewRequest(
            task=self._context.read_task(),
            rows=tuple(
                ReviewRow(row=number, **text._asdict(), votes=dict(ballots.get(number, {})))
                for number, text in zip(numbers, texts, strict=True)
            ),
            known=gather_known(self._context.reviews, self._first_step, self._context.folder, settings.shard_size)
            if settings.review_style == "few"
            else (),
            stage=self._state["stages"],
        )
        return self._context.team.reviewer.review(request)

    def _read_ballots(self, numbers: list[int]) -> dict[int, Ballots]:
        """Return what the specialists said of rows, by their numbers."""
        found: dict[int, Ballots] = {}
        for stage in sorted({number // self._state["stage_size"] for number in numbers}):
            table = read_stage_labels(self._context.folder, stage)
            rows = zip(table[ROW].to_pylist(), table["votes"].to_pylist(), strict=True)
            found.update({number: read_ballots(votes or ()) for number, votes in rows if number in numbers})
        return found

    @property
    def asked(self) -> frozenset[int]:
        """The groups of texts that were asked about."""
        return frozenset(self._answers)

    def count_drawn(self, draws: int) -> int:
        """Return how many of the first draws were asked about."""
        return int(np.isin(self.population.group[self.population.order[:draws]], sorted(self._answers)).sum())

    def count_texts(self, places: Integers) -> int:
        """Return how many texts there are to review at these places."""
        return len(np.unique(self.population.group[places]))

    def find_answers(self) -> tuple[Integers, Integers]:
        """Return the places of all rows that have been asked about, themselves or a copy, and the answers to them."""
        asked = np.array(sorted(self._answers), dtype=np.int64)
        places = np.flatnonzero(np.isin(self.population.group, asked))
        answers = [self._answers[group] for group in self.population.group[places].tolist()]
        return places, np.array(answers, dtype=np.int64)

    def count_unanswered(self, places: Integers) -> int:
        """Return how many of the rows at these places were asked about and have no answer."""
        asked, answers = self.find_answers()
        return int(np.isin(places, asked[answers == NO_LABEL]).sum())

    def count_mended(self) -> int:
        """Return how many rows had another label than the answer, and take it."""
        places, answers = self.find_answers()
        return int(((answers != NO_LABEL) & (answers != self.population.label[places])).sum())

    def make_record(self, draws: int) -> AuditRecord:
        """Return the record of the first draws, each of which has been asked about."""
        population, (places, answers) = self.population, self.find_answers()
        said = np.full(len(population.row), NO_LABEL, dtype=np.int64)
        said[places] = answers
        drawn = population.order[:draws]
        wrong = (said != NO_LABEL) & (said != population.label)
        outcome = np.where(said == NO_LABEL, UNANSWERED, np.where(wrong, DIFFERS, SAME))
        groups, first = np.unique(population.group[drawn], return_index=True)
        seen = np.flatnonzero(wrong & np.isin(population.group, groups))
        when = first[np.searchsorted(groups, population.group[seen])] + 1
        return AuditRecord(
            positions=tuple(drawn.tolist()),
            outcomes=tuple(outcome[drawn].tolist()),
            corrected=tuple(zip(when.tolist(), seen.tolist(), strict=True)),
        )
