"""The selector without a language model: a score for every model, from what the Hub says of it, by rule.

The score is fit × language × (FLOOR + (1 - FLOOR) × quality). Fit is what the model judges and whether its classes
stand for the task's labels; quality is everything that makes one of two fitting models the likelier to do well.
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass, replace

from agents.card_claims import find_doubts
from agents.evidence import Rated, are_unknown, rate_kind, rate_labels
from agents.label_maps import is_opaque, propose_label_map
from agents.lexicon import SPECIAL_DOMAINS, find_domains, normalise_name
from agents.obstacles import MANY_LANGUAGES, find_misfit, find_obstacle, readable_languages, wanted_languages
from hub.weights import choose_weights
from records.candidate import Candidate, Filters, Selection
from records.task import TaskSpec

FLOOR = 0.55
"""What a fitting model scores of whose quality nothing is known."""
QUALITY = {"downloads": 0.3, "domain": 0.25, "licence": 0.1, "size": 0.1, "data": 0.1, "card": 0.08, "likes": 0.05,
           "date": 0.02}  # fmt: skip
LARGE = 2_000_000_000
"""Parameters from which on a model is no small specialist any more, and must be clearly better."""
UNREAD = "only listed, not read"
_SPARE = " better ones are kept: "
_OPEN_LICENCES = (
    "apache", "mit", "bsd", "cc-by-4", "cc-by-sa", "cc0", "openrail", "isc", "unlicense", "afl", "artistic",
)  # fmt: skip


@dataclass(frozen=True)
class Rating:
    """A candidate's score by rule with its reason; `serves`: whether nothing speaks against it altogether. `copy_of`:
    the model with the same weights that is all that does."""

    candidate: Candidate
    score: float
    reason: str
    serves: bool = True
    copy_of: str | None = None

    def drop(self, reason: str) -> "Rating":
        """Return the rating of a candidate that cannot serve."""
        return replace(self, score=0.0, reason=reason, serves=False)


class OfflineSelector:
    """Scores by metadata, by rule: every point of a score is in its reason. What scores below `threshold` is not
    kept."""

    def __init__(self, threshold: float = 0.2) -> None:
        self._threshold = threshold

    def select(
        self, task: TaskSpec, candidates: Sequence[Candidate], keep: int, filters: Filters
    ) -> tuple[Selection, ...]:
        """Return a selection for every candidate, the best first, with at most `keep` of them kept."""
        return keep_best(rate_candidates(task, candidates, filters, needs_map=True), keep, self._threshold)


def rate_candidates(
    task: TaskSpec, candidates: Sequence[Candidate], filters: Filters, *, needs_map: bool
) -> list[Rating]:
    """Return the candidates' ratings, the best first; of repositories with the same weights the best known serves.

    `needs_map`: whether a model can serve only where the rules can read its classes.
    """
    ratings = [rate_candidate(task, candidate, filters, needs_map=needs_map) for candidate in candidates]
    return sorted(_drop_copies(ratings), key=rank)


def rank(rating: Rating) -> tuple[bool, float, int, str]:
    """Return what ratings are ordered by, the best first."""
    return (not rating.serves, -rating.score, -rating.candidate.downloads, rating.candidate.repo_id)


def keep_best(ratings: Sequence[Rating], keep: int, threshold: float) -> tuple[Selection, ...]:
    """Return the selections in the order of the ratings; of those that serve, were read and reach the threshold the
    first `keep` are kept, and the others are spare."""
    selections: list[Selection] = []
    kept = 0
    for rating in ratings:
        reason, is_spare = rating.reason, False
        if rating.serves and not rating.candidate.read:
            reason = f"{UNREAD}: {reason}"
        elif rating.serves and rating.score < threshold:
            reason = f"below {threshold:g}: {reason}"
        elif rating.serves and kept == keep:
            reason, is_spare = f"{keep}{_SPARE}{reason}", True
        is_kept = rating.serves and reason is rating.reason
        kept += is_kept
        selections.append(
            Selection(
                repo_id=rating.candidate.repo_id,
                revision=rating.candidate.revision,
                score=rating.score,
                reason=reason,
                kept=is_kept,
                spare=is_spare,
                copy_of=rating.copy_of,
            )
        )
    return tuple(selections)


def find_substitute(selections: Sequence[Selection], gone: Selection) -> Selection | None:
    """Return the selection of the candidate that takes the place of one which cannot be had, as it is kept then: the
    same weights under another name, else the best spare one; None where there is neither.

    A copy has the score of what it is a copy of: the selector rated that one of them.
    """
    original = gone.copy_of or gone.repo_id
    for one in selections:
        if one.copy_of == original and not one.kept:
            reason = f"in the place of {gone.repo_id}, with the same weights: {gone.reason}"
            return one.model_copy(update={"kept": True, "score": gone.score, "reason": reason})
    for one in selections:
        if one.spare:
            reason = f"in the place of {gone.repo_id}: {one.reason.partition(_SPARE)[2]}"
            return one.model_copy(update={"kept": True, "spare": False, "reason": reason})
    return None


def rate_candidate(task: TaskSpec, candidate: Candidate, filters: Filters, *, needs_map: bool) -> Rating:
    """Return a candidate's score with its reason; one that cannot serve has the score 0.

    One that was only listed is rated by what the listing shows.
    """
    label_map = propose_label_map(task, candidate)
    kind = rate_kind(task, candidate, label_map)
    labels = rate_labels(task, candidate, label_map, needs_map=needs_map)
    fits = labels[0] * (0.2 + 0.8 * kind[0])
    language, domain = _rate_language(task, candidate, filters), _rate_domain(task, candidate)
    parts = {
        "downloads": _rate_downloads(candidate),
        "domain": domain,
        "licence": _rate_licence(candidate),
        "size": _rate_size(candidate),
        "data": _rate_data(candidate),
        "card": _rate_card(candidate),
        "likes": (min(1.0, math.log10(1 + max(candidate.likes, 0)) / 3), f"{candidate.likes:,} likes"),
        "date": _rate_date(candidate),
    }
    quality = sum(QUALITY[name] * value for name, (value, _) in parts.items())
    score = fits * language[0] * (1.0 if domain[0] >= 0.3 else 0.75 + domain[0]) * (FLOOR + (1 - FLOOR) * quality)
    if (candidate.parameters or 0) > LARGE:
        score *= 0.6
    if not candidate.read and not candidate.parameters:  # the Hub counts those of safetensors, which alone are loaded
        score *= 0.7
    doubts = {words: factor for factor, words in find_doubts(task, candidate, label_map)}
    score *= math.prod(doubts.values())
    words = (labels[1], kind[1], language[1], *doubts, *(words for _, words in parts.values() if words))
    rating = Rating(candidate, round(score, 4), "; ".join(words))
    # A regression's number, or one logit, is read by what a coder writes.
    problem = find_obstacle(candidate, classes=2 if needs_map else 1) or find_misfit(task, candidate, filters)
    if problem is None and needs_map and _tells_nothing(task, candidate, len(label_map.covered())):
        problem = f"dropped: it cannot tell two of the task's labels apart ({label_map.reason})"
    return rating.drop(problem) if problem else rating


def _tells_nothing(task: TaskSpec, candidate: Candidate, covered: int) -> bool:
    """Whether the classes were read and have names that are not the task's. Classes whose names tell nothing may yet
    be, where they are as many."""
    opaque = all(is_opaque(name) for name in candidate.id2label.values())
    unknown = len(candidate.id2label) == len(task.labels) and are_unknown(candidate)
    return candidate.read and covered < 2 and not (opaque or unknown)


def _drop_copies(ratings: Sequence[Rating]) -> list[Rating]:
    """Drop all but the most downloaded of those that serve and hold the same weights."""
    best: dict[frozenset[str], Rating] = {}
    for rating in sorted(ratings, key=lambda one: (-one.candidate.downloads, -one.score, one.candidate.repo_id)):
        if rating.serves and (weights := _hash_weights(rating.candidate)):
            best.setdefault(weights, rating)
    kept: list[Rating] = []
    for rating in ratings:
        original = best.get(_hash_weights(rating.candidate), rating) if rating.serves else rating
        name = original.candidate.repo_id
        copy = replace(rating.drop(f"dropped: same weights as {name}"), copy_of=name)
        kept.append(rating if original is rating else copy)
    return kept


def _hash_weights(candidate: Candidate) -> frozenset[str]:
    weights = set(choose_weights(candidate))
    return frozenset(file.sha256 for file in candidate.files if file.path in weights and file.sha256)


def _rate_language(task: TaskSpec, candidate: Candidate, filters: Filters) -> Rated:
    known, wanted = readable_languages(task, candidate), wanted_languages(task, filters)
    if "multilingual" in wanted and len(known) > MANY_LANGUAGES:
        return 1.0, f"{len(known)} languages"
    if known & wanted:
        alone = len(known) <= 2 or bool(wanted & {"en", "multilingual"})
        return (1.0 if alone else 0.92), f"language {', '.join(sorted(known & wanted))}"
    if "multilingual" in known:
        return 0.85, "multilingual"
    if known:
        return 0.35, f"{len(known)} languages without {', '.join(sorted(wanted))}"
    return (0.95 if "en" in wanted else 0.35), "language not stated"


def _rate_downloads(candidate: Candidate) -> Rated:
    """On a logarithmic scale on which a million downloads are 1."""
    return min(1.0, math.log10(1 + max(candidate.downloads, 0)) / 6), f"{candidate.downloads:,} downloads"


def _rate_domain(task: TaskSpec, candidate: Candidate) -> Rated:
    """Whether the model's name or data are of a kind of text that the task speaks of; 0: of another, special one."""
    wanted = find_domains(normalise_name(f"{task.sentence} {task.domain}"))
    said = find_domains(normalise_name(" ".join((candidate.repo_id, *candidate.datasets))))
    if found := wanted & said:
        return 1.0, f"made for {', '.join(sorted(found))} texts"
    if special := said & SPECIAL_DOMAINS:
        return 0.0, f"made for {', '.join(sorted(special))} texts"
    if wanted & SPECIAL_DOMAINS:
        return 0.15, f"not made for {', '.join(sorted(wanted & SPECIAL_DOMAINS))} texts"
    return (0.4, "") if said else (0.5, "")


def _rate_size(candidate: Candidate) -> Rated:
    """Up to 150 million parameters: 1, falling to 0 at 1.5 billion on a logarithmic scale."""
    if not candidate.parameters:
        return 0.5, "size not stated"
    value = 1 - math.log10(max(candidate.parameters / 150e6, 1))
    return max(0.0, value), f"{candidate.parameters / 1e6:,.1f} M parameters"


def _rate_licence(candidate: Candidate) -> Rated:
    if not candidate.licence:
        return 0.3, "licence not stated"
    is_open = candidate.licence.casefold().startswith(_OPEN_LICENCES)
    return (1.0 if is_open else 0.5), f"licence {candidate.licence[:60]}"


def _rate_data(candidate: Candidate) -> Rated:
    """Whether it says what it was taught with, beyond the names that training scripts fill in."""
    known = [name for name in candidate.datasets if name.casefold() not in ("generator", "imagefolder", "csv", "json")]
    return (1.0, f"taught with {', '.join(known)[:80]}") if known else (0.0, "data not stated")


def _rate_card(candidate: Candidate) -> Rated:
    """Whether somebody described it in words of their own; what they claim counts for nothing here."""
    if not candidate.read:
        return 0.5, ""
    generated = "has been generated automatically" in candidate.card or "More information needed" in candidate.card
    is_told = len(candidate.card) >= 500 and not generated
    return (1.0, "described") if is_told else (0.2 if candidate.card else 0.0, "hardly described")


def _rate_date(candidate: Candidate) -> Rated:
    """From 0 for 2018 to 1 for 2024: by dates on record, not by today's."""
    year = (candidate.modified or candidate.created)[:4]
    return (min(max((int(year) - 2018) / 6, 0.0), 1.0), f"of {year}") if year.isdecimal() else (0.5, "")
