"""The selector: which of the models that the Hub offers are worth a script and an audition."""

import math
from collections.abc import Sequence

from pydantic import BaseModel

from agents.asking import Asker
from agents.label_maps import propose_label_map
from agents.lexicon import DOMAINS, FAMILIES, Family, find_family, normalise_name
from agents.prompting import render_prompt, shorten, show_card
from agents.replies import read_json
from hub.weights import find_refusal
from records.candidate import Candidate, LabelMap, Selection
from records.task import TaskSpec

_OPEN_LICENCES = (
    "apache",
    "mit",
    "bsd",
    "cc-by-4",
    "cc-by-sa",
    "cc0",
    "openrail",
    "isc",
    "unlicense",
    "afl",
    "artistic",
)
_WEIGHTS = {
    "labels": 0.30,
    "family": 0.15,
    "language": 0.15,
    "downloads": 0.15,
    "domain": 0.10,
    "size": 0.10,
    "licence": 0.05,
}


SHOWN_CANDIDATES = 20
"""How many candidates, the best by rule, a language model is asked about."""


class OfflineSelector:
    """Scores by metadata, by rule: every point of a score is in its reason."""

    def select(self, task: TaskSpec, candidates: Sequence[Candidate], keep: int) -> tuple[Selection, ...]:
        """Return a selection for every candidate, the best first, with at most `keep` of them kept."""
        return _keep_best([score_candidate(task, candidate, needs_map=True) for candidate in candidates], keep)


class _ChoiceReply(BaseModel):
    id: int
    use: bool
    reason: str = ""


class _ChoicesReply(BaseModel):
    choices: list[_ChoiceReply]


class LLMSelector:
    """Scores by the same rules, but has a language model say yes or no to every model that can serve at all, also to
    one whose classes the rules cannot read."""

    def __init__(self, asker: Asker) -> None:
        self._asker = asker

    def select(self, task: TaskSpec, candidates: Sequence[Candidate], keep: int) -> tuple[Selection, ...]:
        """Return a selection for every candidate, the best first, with at most `keep` of them kept.

        Raises ReplyError and LLMUnreachableError.
        """
        by_name = {candidate.repo_id: candidate for candidate in candidates}
        rated = [score_candidate(task, candidate, needs_map=False) for candidate in candidates]
        scored = _keep_best(rated, len(rated))
        shown = [selection for selection in scored if selection.kept][:SHOWN_CANDIDATES]
        if not shown:
            return scored
        choices = self._choose(task, [by_name[selection.repo_id] for selection in shown])
        judged = {
            selection.repo_id: selection.model_copy(
                update={"kept": choice.use, "reason": f"{shorten(choice.reason, 300)} ({selection.reason})"}
            )
            for selection, choice in zip(shown, choices, strict=True)
        }
        rest = {
            selection.repo_id: selection.model_copy(
                update={"kept": False, "reason": f"not among the best {SHOWN_CANDIDATES} by rule: {selection.reason}"}
            )
            for selection in scored
            if selection.kept
        }
        return _keep_best([{**rest, **judged}.get(selection.repo_id, selection) for selection in scored], keep)

    def _choose(self, task: TaskSpec, candidates: Sequence[Candidate]) -> list[_ChoiceReply]:
        """Return the model's choices in the candidates' order."""
        prompt = render_prompt(
            "selector",
            sentence=task.sentence,
            labels=task.label_names,
            family=task.family,
            domain=task.domain,
            language=task.language,
            candidates=[_show_candidate(number, candidate) for number, candidate in enumerate(candidates, 1)],
        )

        def check(reply: _ChoicesReply) -> str | None:
            named = sorted(choice.id for choice in reply.choices)
            wanted = list(range(1, len(candidates) + 1))
            return None if named == wanted else f"choices: name the ids {wanted} once each, not {named}."

        reader = read_json(_ChoicesReply, check)
        reply = self._asker.ask(prompt, reader, _ChoicesReply.model_json_schema(), afresh=True).value
        return sorted(reply.choices, key=lambda choice: choice.id)


def _show_candidate(number: int, candidate: Candidate) -> dict[str, object]:
    return {
        "id": number,
        "name": candidate.repo_id,
        "classes": candidate.id2label,
        "languages": candidate.languages,
        "trained_on": candidate.datasets,
        "card": show_card(candidate.card, 600),
    }


def _keep_best(selections: Sequence[Selection], keep: int) -> tuple[Selection, ...]:
    """Return the selections, the best first; of those that may be kept only the first `keep` are."""
    ranked = sorted(selections, key=lambda selection: (not selection.kept, -selection.score, selection.repo_id))
    return tuple(
        selection
        if not selection.kept or rank <= keep
        else selection.model_copy(
            update={"kept": False, "reason": f"ranked {rank}, and {keep} are kept: {selection.reason}"}
        )
        for rank, selection in enumerate(ranked, 1)
    )


def score_candidate(task: TaskSpec, candidate: Candidate, *, needs_map: bool) -> Selection:
    """Return a candidate's score with its reason; one that cannot serve has the score 0 and is not kept.

    `needs_map`: whether it can serve only where the rules can read its classes.
    """
    label_map = propose_label_map(task, candidate)
    classes = 2 if needs_map else 1  # a regression's number, or one logit, is read by what a coder writes
    problem = find_obstacle(candidate, classes) or (_find_map_obstacle(label_map) if needs_map else None)
    parts = {
        "labels": _rate_labels(task, label_map),
        "family": _rate_family(task, candidate),
        "language": _rate_language(task, candidate),
        "downloads": _rate_downloads(candidate),
        "domain": _rate_domain(task, candidate),
        "size": _rate_size(candidate),
        "licence": _rate_licence(candidate),
    }
    score = sum(_WEIGHTS[name] * value for name, (value, _) in parts.items())
    return Selection(
        repo_id=candidate.repo_id,
        revision=candidate.revision,
        score=0.0 if problem else round(score, 4),
        reason=problem or "; ".join(words for _, words in parts.values()),
        kept=problem is None,
    )


def find_obstacle(candidate: Candidate, classes: int = 2) -> str | None:
    """Return why a model cannot serve whatever the task, or None; it needs so many `classes`."""
    if candidate.pipeline_tag != "text-classification":
        return f"dropped: its task on the Hub is {candidate.pipeline_tag or 'not stated'}, not text-classification"
    if len(candidate.id2label) < classes:
        return f"dropped: its config names {len(candidate.id2label)} classes, and it takes {classes}"
    refusal = find_refusal(candidate)
    return f"dropped: {refusal}" if refusal else None


def _find_map_obstacle(label_map: LabelMap) -> str | None:
    if len(label_map.covered()) >= 2:
        return None
    return f"dropped: it cannot tell two of the task's labels apart ({label_map.reason})"


def _rate_labels(task: TaskSpec, label_map: LabelMap) -> tuple[float, str]:
    covered, wanted = len(label_map.covered()), len(task.labels)
    return covered / wanted, f"labels {covered} of {wanted} ({label_map.reason})"


def _rate_family(task: TaskSpec, candidate: Candidate) -> tuple[float, str]:
    """Where the model's name and tags speak of the family: 1; where only its card does: 0.5."""
    family = _family_of(task)
    if family is None:
        return 0.0, "no family to match"
    said = normalise_name(" ".join((candidate.repo_id, *candidate.tags, *candidate.datasets)))
    if any(cue in said for cue in family.cues):
        return 1.0, f"name or tags speak of {family.name}"
    if any(cue in normalise_name(candidate.card) for cue in family.cues):
        return 0.5, f"card speaks of {family.name}"
    return 0.0, f"nothing speaks of {family.name}"


def _family_of(task: TaskSpec) -> Family | None:
    named = next((family for family in FAMILIES if family.name == task.family), None)
    return named or find_family(task.label_names, task.sentence)


def _rate_language(task: TaskSpec, candidate: Candidate) -> tuple[float, str]:
    if task.language in candidate.languages:
        return 1.0, f"language {task.language}"
    if not candidate.languages:
        return 0.5, "language not stated"
    if "multilingual" in candidate.languages or len(candidate.languages) > 5:
        return 0.7, "multilingual"
    return 0.0, f"language {', '.join(candidate.languages)}, the task's is {task.language}"


def _rate_downloads(candidate: Candidate) -> tuple[float, str]:
    """On a logarithmic scale on which ten million downloads are 1."""
    return min(1.0, math.log10(1 + max(candidate.downloads, 0)) / 7), f"{candidate.downloads:,} downloads"


def _rate_domain(task: TaskSpec, candidate: Candidate) -> tuple[float, str]:
    """Whether the model's name, tags or data are of a kind of text that the sentence names."""
    domains = {DOMAINS[word] for word in normalise_name(task.sentence).split() if word in DOMAINS}
    said = normalise_name(" ".join((candidate.repo_id, *candidate.tags, *candidate.datasets)))
    found = sorted(domain for domain in domains if domain in said)
    if not domains:
        return 0.5, "the sentence names no kind of text"
    return (
        (1.0, f"made for {', '.join(found)} texts")
        if found
        else (0.0, f"not made for {', '.join(sorted(domains))} texts")
    )


def _rate_size(candidate: Candidate) -> tuple[float, str]:
    """Up to 150 million parameters: 1, falling to 0 at 1.5 billion on a logarithmic scale."""
    if not candidate.parameters:
        return 0.5, "size not stated"
    value = 1 - math.log10(max(candidate.parameters / 150e6, 1))
    return max(0.0, value), f"{candidate.parameters / 1e6:,.1f} M parameters"


def _rate_licence(candidate: Candidate) -> tuple[float, str]:
    if not candidate.licence:
        return 0.3, "licence not stated"
    is_open = candidate.licence.casefold().startswith(_OPEN_LICENCES)
    return (1.0 if is_open else 0.5), f"licence {candidate.licence}"
