"""The Hub searches for a task, by rule."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import zip_longest

from agents.families import Family
from agents.languages import name_of, primary_code
from agents.lexicon import DOMAIN_NAMES, family_of, find_domains, normalise_name
from agents.words import content_words, label_words, stem
from records.candidate import Filters
from records.task import TaskSpec


@dataclass(frozen=True)
class Query:
    """Words that a repository's name should have, a tag that it should have where one is given (a language's ISO 639
    code, a data set, a word), and why they may."""

    words: str
    tag: str | None
    reason: str
    kin: float = 0.0
    """What speaks for each model that it finds, as a score, whatever that model's listing tells."""


def queries_by_rule(task: TaskSpec, filters: Filters) -> tuple[Query, ...]:
    """Return searches from the task's family or labels, its language, its domain and data sets, the best first."""
    family = family_of(task)
    language = primary_code(filters.languages[0] if filters.languages else task.language)
    plain = tuple(_of_family(task, family) if family else _of_words(task))
    if not plain:
        return ()
    synonyms = [one for one in plain[1:] if family is None or one.words in family.queries]
    found = plain if language == "en" else (*_in_language(plain[0], synonyms, language), *plain)
    if language == "multilingual":
        found = (plain[0], Query(plain[0].words, language, f"{plain[0].reason}, tagged {language}"), *plain[1:])
    first: dict[tuple[str, str | None], Query] = {}
    for query in found:
        first.setdefault((query.words, query.tag), query)
    return tuple(first.values())


def _of_family(task: TaskSpec, family: Family) -> Iterator[Query]:
    head, *synonyms = family.queries
    yield Query(head, None, f"the kind of judgement: {family.name}")
    domains = sorted(find_domains(normalise_name(f"{task.sentence} {task.domain}")))[:2]
    yield from (Query(f"{domain} {head}", None, f"made for {domain} texts") for domain in domains if domain not in head)
    yield from (
        Query(DOMAIN_NAMES[one][0], None, f"an encoder for {one} texts") for one in domains if one in DOMAIN_NAMES
    )
    own = [word for word in label_words(task) if word not in family.queries][:2]
    more = (
        [Query(words, None, f"another word for {family.name}") for words in synonyms],
        [Query(name, None, f"a data set for {family.name}") for name in family.datasets[:4]],
        [Query(word, None, "a label's name") for word in own],
    )
    yield from (query for together in zip_longest(*more) for query in together if query is not None)
    yield from _tagged((*family.queries, *own), family.datasets)


def _tagged(words: Sequence[str], datasets: Sequence[str]) -> Iterator[Query]:
    """Yield searches for models whose names say nothing."""
    tags = ((f"dataset:{name.replace(' ', '_')}", "taught with a data set of this kind") for name in datasets[:4])
    said = ((word.replace(" ", "-"), "tagged with a word of the task") for word in words[:4])
    for tag, reason in (tag for pair in zip_longest(tags, said) for tag in pair if tag):
        yield Query("", tag, reason)


def _of_words(task: TaskSpec) -> Iterator[Query]:
    """Yield searches for a kind that is not in the lexicon: its words in turn, then what these are forms of."""
    labels = label_words(task)
    said = tuple(dict.fromkeys((*content_words(task.family), *content_words(task.domain))))
    spoken = normalise_name(name_of(task.language))
    domains = sorted(find_domains(normalise_name(f"{task.sentence} {task.domain}")))[:2]
    sentence = tuple(word for word in content_words(task.sentence) if word not in (*labels, *said, spoken))
    sources = (
        [Query(word, None, "a label's name") for word in labels[:8]],
        [Query(word, None, "the kind of judgement or of text") for word in said],
        [Query(word, None, "a word of the task") for word in dict.fromkeys(sentence)],
        [
            Query(word, None, f"for {domain} texts")
            for domain in domains
            for word in DOMAIN_NAMES.get(domain, (domain,))
        ],
    )
    plain = [query for together in zip_longest(*sources) for query in together if query is not None]
    yield from plain
    yield from (Query(stem(one.words), None, f"what {one.words} is a form of") for one in plain)
    yield from _tagged([one.words for one in plain], ())


def _in_language(first: Query, others: Sequence[Query], language: str) -> Iterator[Query]:
    """Yield the searches of which a model in this language may be the answer, and one for models of many."""
    spoken = name_of(language)
    yield Query(first.words, language, f"{first.reason}, tagged {language}")
    yield Query(f"{spoken} {first.words}", None, f"{first.reason}, with the language in its name")
    yield from (Query(one.words, language, f"{one.reason}, tagged {language}") for one in others[:2])
    yield Query("", language, f"tagged {language}, whatever they judge")
    yield Query(f"multilingual {first.words}", None, "for many languages")
    yield Query(f"{language} {first.words}", None, f"{first.reason}, with the language's code in its name")
