"""What label names mean. People and models name the same judgement in many ways ("POS", "favourable", "4 stars");
a family gathers the meanings that belong to one kind of task, and the words that show that it is spoken of.
"""

import re

from agents.families import RATING, SENTIMENT, Family, names
from agents.language_task import asks_for_language
from agents.rarer_families import FAMILIES, LANGUAGE
from records.task import TaskSpec

_CAMEL = re.compile(r"(?<=[a-z])(?=[A-Z])")
_NOT_WORD = re.compile(r"[^\w]+|_+")
_STAR = r"(?:stars?|stern|sterne|étoiles?|estrellas?|estrelas?|stell[ae]|ster|sterren)"
_STARS = re.compile(rf"([1-5]) ?{_STAR}|{_STAR} ([1-5])")
_BY_STARS = ("negative", "negative", "neutral", "positive", "positive")
_NUMBERED = re.compile(r"^\d+ (?=[^\W\d]{3})(?!stars?\b)")
"""The number before a class's name: "1 - Low"."""
_INTENSIFIER = re.compile(r"^(very|extremely|strongly|strong|highly|slightly|somewhat|mostly|weakly|severe|mildly) ")
_NEGATION = re.compile(
    r"^(?:not|non|no|without|isn t|nicht|kein|keine|pas|sans|sin|ohne|niet|nie) |^(?:not|non)(?=[a-z]{4})"
)


DOMAINS = {
    "twitter": "tweet, tweets, twitter, tweeteval, bertweet, x posts",
    "movie": "film, films, movie, movies, imdb, allocine, rotten tomatoes, cinema, ciné, filme, película, películas",
    "product": "product, products, amazon, customer reviews, e commerce, ecommerce, produkt, produkte",
    "news": "news, headline, headlines, newspaper, articles, nachrichten, noticias, schlagzeilen",
    "financial": "finance, financial, stock, stocks, fin, finbert, earnings, market, crypto, bitcoin, fomc, economic",
    "review": "review, reviews, yelp, trustpilot",
    "restaurant": "restaurant, restaurants, food",
    "hotel": "hotel, hotels, tripadvisor, travel",
    "medical": "medical, clinical, pubmed, pubmedbert, biobert, clinicalbert, trials, patient, patients, biomedical, "
    "drug, health",
    "legal": "legal, law, court, contract, contracts",
    "sms": "sms, smishing, text message, text messages",
    "email": "email, emails, mail, mails, e mail",
    "reddit": "reddit, subreddit",
    "app": "app reviews, app store, google play",
    "comment": "comment, comments, youtube, wikipedia talk",
    "airline": "airline, airlines, flight",
    "prompt": "prompt, prompts, chatbot, assistant, assistants",
    "code": "code, source code, codebert, stackoverflow",
    "chemical": "molecule, molecules, chemical, chem, chembert, chemberta, protein",
    "url": "url, urls",
    "caption": "caption, captions, meme, memes",
    "political": "politics, political, parliament, election, party",
    "customer": "support ticket, tickets, customer support, customer service, complaint, complaints, banking",
}
"""A word that models for a kind of texts are named with → the words by which sentences and names speak of it."""
DOMAIN_NAMES = {
    "financial": ("finbert", "financial"),
    "twitter": ("bertweet", "tweet"),
    "legal": ("legalbert", "legal"),
    "medical": ("clinicalbert", "pubmed", "biobert", "medical", "clinical"),
}
"""What models for such texts are often named after instead of the judgement, an encoder first."""
HINTS = names(
    "review, reviews, opinion, opinions, news, headline, headlines, category, categories, subject, political, "
    "fake, recommend, utterance, utterances, massive, moderation, feeling, feelings, inference, neutral, register"
)
"""Cues that also say where texts come from: alone, they tell little."""
SPECIAL_DOMAINS = frozenset(
    {
        "financial",
        "medical",
        "legal",
        "airline",
        "hotel",
        "restaurant",
        "political",
        "prompt",
        "code",
        "chemical",
        "url",
        "caption",
    }
)
"""Those whose models do poorly on other texts."""


def normalise_name(name: str) -> str:
    """Return a label name in lower case, its words parted by one space: `Hate_speech` → "hate speech"."""
    return " ".join(_NOT_WORD.sub(" ", _CAMEL.sub(" ", name.strip())).casefold().split())


def split_negation(name: str) -> str | None:
    """Return what a normalised name denies ("not offensive", "nontoxic" → "offensive", "toxic"), or None."""
    rest = _NEGATION.sub("", name, count=1)
    return rest if rest and rest != name else None


def find_meaning(name: str, family: Family) -> str | None:
    """Return what a label name means within a family, or None."""
    name = _NUMBERED.sub("", normalise_name(name))
    if family in (SENTIMENT, RATING) and (match := _STARS.fullmatch(name)):
        stars = match[1] or match[2]
        return stars if family is RATING else _BY_STARS[int(stars) - 1]
    for meaning, known in family.meanings.items():
        if name in known or name.replace(" ", "") in known:
            return meaning
    if (denied := split_negation(name)) is not None:
        inner = find_meaning(denied, family)
        return family.opposite.get(inner) if inner else None
    softer = _INTENSIFIER.sub("", name)
    return find_meaning(softer, family) if softer != name else None


def find_family(label_names: tuple[str, ...], text: str = "") -> Family | None:
    """Return the family in which two or more of the labels have a meaning, else the one whose cues `text` has most of.

    None where neither tells, or where only hints speak.
    """
    words = normalise_name(text)
    called = tuple(normalise_name(name) for name in label_names)

    def score(family: Family) -> tuple[int, int, int]:
        known = [name for name in called if find_meaning(split_negation(name) or name, family) is not None]
        if family is LANGUAGE and not asks_for_language(called, known, words):
            known = []
        said = {cue for cue in family.cues if holds(words, cue)}
        return (len(known) if len(known) >= 2 else 0, len(said - HINTS), len(said))

    best = max(FAMILIES, key=score)
    return best if score(best) >= (0, 1) else None


def family_of(task: TaskSpec) -> Family | None:
    """Return the family that a task names, else the one that its labels and words tell."""
    named = next((family for family in FAMILIES if family.name == task.family), None)
    return named or find_family(task.label_names, f"{task.sentence} {task.family} {task.domain}")


def holds(text: str, phrase: str) -> bool:
    """Return whether a normalised text holds a normalised phrase, word for word."""
    return f" {phrase} " in f" {text} "


def speaks_of(text: str, cue: str) -> bool:
    """Return whether a normalised name or text has a word of this cue, also as part of a compound (toxicbert)."""
    if len(cue) < 4 or " " in cue:
        return holds(text, cue)
    return any(word.startswith(cue) or (len(cue) >= 7 and cue in word) for word in text.split())


def find_domains(text: str) -> frozenset[str]:
    """Return which kinds of texts a normalised text speaks of."""
    return frozenset(domain for domain, words in _DOMAIN_WORDS.items() if any(holds(text, word) for word in words))


_DOMAIN_WORDS = {domain: tuple(part.strip() for part in words.split(",")) for domain, words in DOMAINS.items()}
