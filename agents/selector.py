"""The selector with a language model: which of the models that the Hub offers are worth a script and an audition."""

from collections.abc import Sequence
from dataclasses import replace
from typing import Annotated, Literal

from pydantic import BaseModel, BeforeValidator, Field

from agents.asking import Asker
from agents.card_claims import find_doubts
from agents.label_maps import propose_label_map
from agents.prompting import render_prompt, shorten, show_card
from agents.replies import read_json
from agents.selector_rules import Rating, keep_best, rank, rate_candidates
from agents.sureness import measure_sureness
from records.candidate import Candidate, Filters, Selection
from records.task import TaskSpec

SHOWN_CARD = 600
"""Characters of a card that the model is shown."""


def _lower(value: object) -> object:
    return value.strip().casefold() if isinstance(value, str) else value


class _ChoiceReply(BaseModel):
    id: int
    use: Annotated[Literal["yes", "no"], BeforeValidator(_lower)]
    probability: float = Field(ge=0, le=1, allow_inf_nan=False)
    reason: str


class _ChoicesReply(BaseModel):
    choices: list[_ChoiceReply]


class LLMSelector:
    """Has a language model say yes or no to the `shown` best by rule, `batch` to a request, also to those whose classes
    the rules cannot read. The score is the probability of "yes": that of its token where the endpoint gives it, else
    the one that the model states. Where two are alike the rules decide."""

    def __init__(self, asker: Asker, threshold: float = 0.2, *, shown: int = 20, batch: int = 10) -> None:
        self._asker = asker
        self._threshold = threshold
        self._shown = shown
        self._batch = batch

    def select(
        self, task: TaskSpec, candidates: Sequence[Candidate], keep: int, filters: Filters
    ) -> tuple[Selection, ...]:
        """Return a selection for every candidate, the best first, with at most `keep` of them kept.

        Raises ReplyError and LLMUnreachableError.
        """
        ratings = rate_candidates(task, candidates, filters, needs_map=False)
        readable = [rating for rating in ratings if rating.serves and rating.candidate.read]
        asked = readable[: self._shown]
        batches = [asked[start : start + self._batch] for start in range(0, len(asked), self._batch)]
        judged = [rating for batch in batches for rating in self._judge(task, batch)]
        left = readable[self._shown :]
        unasked = [rating.drop(f"not among the best {self._shown} by rule: {rating.reason}") for rating in left]
        others = [rating for rating in ratings if rating not in readable]
        ordered = [*sorted(judged, key=lambda rating: -rating.score), *sorted([*unasked, *others], key=rank)]
        return keep_best(ordered, keep, self._threshold)

    def _judge(self, task: TaskSpec, ratings: Sequence[Rating]) -> list[Rating]:
        """Return the ratings with the model's score and reason, in their order."""
        ids = range(1, len(ratings) + 1)
        prompt = render_prompt(
            "selector",
            sentence=task.sentence,
            labels=task.label_names,
            family=task.family,
            domain=task.domain,
            language=task.language,
            candidates=[_show(number, task, rating.candidate) for number, rating in zip(ids, ratings, strict=True)],
        )

        def check(reply: _ChoicesReply) -> str | None:
            named = sorted(choice.id for choice in reply.choices)
            if named != [*ids]:
                return f"choices: name the ids {[*ids]} once each, not {named[:50]}."
            torn = [str(one.id) for one in reply.choices if (one.use == "yes") != (one.probability >= 0.5)]
            at = ", ".join(torn)
            return (
                f'choices {at}: "probability" is that of "yes": 0.5 or more beside "yes", less beside "no".'
                if torn
                else None
            )

        reader = read_json(_ChoicesReply, check)
        reply = self._asker.ask(prompt, reader, _ChoicesReply.model_json_schema(), logprobs=True, afresh=True)
        measured = measure_sureness(reply.raw, reply.tokens, [str(number) for number in ids], {"use"})
        choices = {choice.id: choice for choice in reply.value.choices}
        return [
            _apply(rating, choices[number], measured.get(str(number)))
            for number, rating in zip(ids, ratings, strict=True)
        ]


def _apply(rating: Rating, choice: _ChoiceReply, sureness: float | None) -> Rating:
    """Return a rating with the model's score, to two digits: beyond them the rules decide."""
    of_token = None if sureness is None else sureness if choice.use == "yes" else 1 - sureness
    probability = choice.probability if of_token is None else of_token
    how = "stated" if of_token is None else "log-probability"
    said = " ".join(shorten(choice.reason, 300).split())
    reason = f"{choice.use} ({how}): {said} (by rule {rating.score:.2f}: {rating.reason})"
    return replace(rating, score=round(probability, 2), reason=reason)


def _show(number: int, task: TaskSpec, candidate: Candidate) -> dict[str, object]:
    """Return a model as the selector is shown it: what a long card admits at its end is said beside its beginning."""
    return {
        "id": number,
        "name": candidate.repo_id,
        "classes": candidate.id2label,
        "languages": candidate.languages,
        "trained_on": candidate.datasets,
        "base": candidate.base_model,
        "parameters": candidate.parameters,
        "downloads": candidate.downloads,
        "admits": [words for _, words in find_doubts(task, candidate, propose_label_map(task, candidate))],
        "card": show_card(candidate.card, SHOWN_CARD),
    }
