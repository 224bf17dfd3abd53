"""The Hub searches for a task, by rule."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import zip_longest

from agents.evidence import content_words, label_words
from agents.families import Family
from agents.languages import name_of, primary_code
from agents.lexicon import DOMAIN_ENCODERS, family_of, find_domains, normalise_name
from records.candidate import Filters
from records.task import TaskSpec


@dataclass(frozen=True)
class Query:
    """Words that a repository's name should have, in one language where it is given (ISO 639), and why they may."""

    words: str
    language: str | None
    reason: str


def queries_by_rule(task: TaskSpec, filters: Filters) -> tuple[Query, ...]:
    """Return searches from the task's family or labels, its language, its domain and data sets, the best first."""
    family = family_of(task)
    language = primary_code(filters.languages[0] if filters.languages else task.language)
    plain = tuple(_of_family(task, family) if family else _of_words(task))
    synonyms = [one for one in plain[1:] if family is None or one.words in family.queries]
    found = plain if language == "en" else (*_in_language(plain[0], synonyms, language), *plain)
    if language == "multilingual":
        found = (plain[0], Query(plain[0].words, language, f"{plain[0].reason}, tagged {language}"), *plain[1:])
    first = {(query.words, query.language): query for query in reversed(found)}
    return tuple(reversed(first.values()))


def _of_family(task: TaskSpec, family: Family) -> Iterator[Query]:
    head, *synonyms = family.queries
    yield Query(head, None, f"the kind of judgement: {family.name}")
    domains = sorted(find_domains(normalise_name(f"{task.sentence} {task.domain}")))[:2]
    yield from (Query(f"{domain} {head}", None, f"made for {domain} texts") for domain in domains if domain not in head)
    yield from (
        Query(DOMAIN_ENCODERS[one], None, f"an encoder for {one} texts") for one in domains if one in DOMAIN_ENCODERS
    )
    own = [word for word in label_words(task) if word not in family.queries][:2]
    more = (
        [Query(words, None, f"another word for {family.name}") for words in synonyms],
        [Query(name, None, f"a data set for {family.name}") for name in family.datasets[:4]],
        [Query(word, None, "a label's name") for word in own],
    )
    yield from (query for together in zip_longest(*more) for query in together if query is not None)


def _of_words(task: TaskSpec) -> Iterator[Query]:
    labels = label_words(task)
    said = tuple(dict.fromkeys((*content_words(task.family), *content_words(task.domain))))
    sentence = tuple(word for word in content_words(task.sentence) if word not in labels)
    if len(labels) > 1:
        yield Query(" ".join(labels[:2]), None, "two labels' names")
    yield from (Query(word, None, "the kind of judgement or of text") for word in said)
    yield from (Query(word, None, "a label's name") for word in labels[:6])
    yield from (Query(word, None, "a word of the task") for word in sentence)


def _in_language(first: Query, others: Sequence[Query], language: str) -> Iterator[Query]:
    """Yield the searches of which a model in this language may be the answer, and one for models of many."""
    spoken = name_of(language)
    yield Query(first.words, language, f"{first.reason}, tagged {language}")
    yield Query(f"{spoken} {first.words}", None, f"{first.reason}, with the language in its name")
    yield from (Query(one.words, language, f"{one.reason}, tagged {language}") for one in others[:2])
    yield Query(f"multilingual {first.words}", None, "for many languages")
    yield Query(f"{language} {first.words}", None, f"{first.reason}, with the language's code in its name")
