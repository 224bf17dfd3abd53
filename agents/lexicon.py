"""What label names mean. People and models name the same judgement in many ways ("POS", "favourable", "4 stars");
a family gathers the meanings that belong to one kind of task, and the words that show that it is spoken of.
"""

import re
from dataclasses import dataclass, field

_CAMEL = re.compile(r"(?<=[a-z])(?=[A-Z])")
_NOT_WORD = re.compile(r"[^\w]+|_+")
_STARS = re.compile(r"([1-5]) ?stars?|stars? ([1-5])")
_INTENSIFIER = re.compile(r"^(very|extremely|strongly|strong|highly|slightly|somewhat|mostly|weakly|severe|mildly) ")
_NEGATION = re.compile(r"^(?:not|non|no|without|isn t) |^(?:not|non)(?=[a-z]{4})")


@dataclass(frozen=True)
class Family:
    """One kind of task: `meanings` maps each meaning to the names it goes by (normalised), `cues` are words of a
    sentence or a card that speak of it, and `queries` start a Hub search."""

    name: str
    meanings: dict[str, frozenset[str]]
    cues: frozenset[str]
    queries: tuple[str, ...]
    wider: dict[str, str] = field(default_factory=dict[str, str])
    """Meaning → the wider meaning of the same family that includes it: hate speech is offensive."""
    opposite: dict[str, str] = field(default_factory=dict[str, str])
    """Meaning → what its negation means, where the family has a class for that."""


def _names(text: str) -> frozenset[str]:
    return frozenset(name.strip() for name in text.split(","))


SENTIMENT = Family(
    name="sentiment analysis",
    meanings={
        "positive": _names(
            "positive, pos, p, good, favourable, favorable, favor, favour, pro, bullish, bull, positiv, "
            "positive sentiment, positive review, thumbs up, recommended, "
            "optimistic, fresh, for, support, praise, satisfied, happy"
        ),
        "negative": _names(
            "negative, neg, n, bad, unfavourable, unfavorable, con, contra, bearish, bear, negativ, "
            "negative sentiment, negative review, thumbs down, not recommended, pessimistic, rotten, "
            "against, anti, oppose, criticism, complaint, dissatisfied, unhappy"
        ),
        "neutral": _names(
            "neutral, neu, neut, neutral sentiment, mixed, balanced, ambivalent, none, no sentiment, objective"
        ),
    },
    cues=_names("sentiment, polarity, opinion, opinions, review, reviews, stance, bullish, bearish, recommend"),
    queries=("sentiment", "sentiment analysis", "polarity"),
)
TOXICITY = Family(
    name="offensive language and toxicity detection",
    meanings={
        "offensive": _names(
            "offensive, offensive language, off, toxic, toxicity, toxic comment, toxic language, abusive, abuse, "
            "abusive language, "
            "insult, insulting, insults, obscene, obscenity, threat, threatening, harassment, harassing, bullying, "
            "cyberbullying, profanity, profane, vulgar, severe toxicity, sexual explicit, rude, disrespectful, "
            "harmful, hof, unsafe, uncivil"
        ),
        "hate": _names(
            "hate, hateful, hate speech, hatespeech, hatred, identity hate, identity attack, racist, sexist, hs"
        ),
        "harmless": _names(
            "harmless, neither, neutral, normal, none, clean, safe, ok, okay, acceptable, civil, benign, respectful, "
            "appropriate, inoffensive, not, friendly, nothate, nontoxic, noffensive"
        ),
    },
    cues=_names(
        "toxic, toxicity, offensive, hate, hateful, abusive, abuse, insult, insults, harassment, profanity, "
        "moderation, hatespeech, cyberbullying"
    ),
    queries=("toxic", "offensive", "hate speech", "toxicity classification", "abusive"),
    wider={"hate": "offensive"},
    opposite={"offensive": "harmless", "hate": "harmless"},
)
EMOTION = Family(
    name="emotion recognition",
    meanings={
        "joy": _names("joy, joyful, happy, happiness, cheerful"),
        "sadness": _names("sadness, sad, sorrow, unhappy, grief"),
        "anger": _names("anger, angry, furious, rage, annoyance"),
        "fear": _names("fear, fearful, afraid, scared, anxiety, nervousness"),
        "surprise": _names("surprise, surprised, astonishment"),
        "disgust": _names("disgust, disgusted"),
        "love": _names("love, loving, affection, caring"),
        "optimism": _names("optimism, optimistic, hopeful, hope"),
        "calm": _names("neutral, no emotion, none, other"),
    },
    cues=_names("emotion, emotions, emotional, mood, feeling, feelings"),
    queries=("emotion", "emotion classification"),
)
SPAM = Family(
    name="spam detection",
    meanings={
        "spam": _names("spam, junk, scam, phishing, spammy, unsolicited"),
        "ham": _names("ham, legitimate, legit, genuine, normal, safe, real"),
    },
    cues=_names("spam, ham, phishing, scam, junk"),
    queries=("spam", "spam detection", "sms spam"),
    opposite={"spam": "ham"},
)
IRONY = Family(
    name="irony and sarcasm detection",
    meanings={
        "ironic": _names("irony, ironic, sarcasm, sarcastic"),
        "sincere": _names("sincere, literal, serious, genuine, normal"),
    },
    cues=_names("irony, ironic, sarcasm, sarcastic"),
    queries=("irony", "sarcasm"),
    opposite={"ironic": "sincere"},
)
SUBJECTIVITY = Family(
    name="subjectivity detection",
    meanings={
        "subjective": _names("subjective, subj, opinion, opinionated"),
        "objective": _names("objective, obj, fact, factual, neutral"),
    },
    cues=_names("subjective, subjectivity, objective, factual"),
    queries=("subjectivity", "subjective objective"),
    opposite={"subjective": "objective", "objective": "subjective"},
)
TOPIC = Family(
    name="topic classification",
    meanings={
        "world": _names("world, world news, international, politics"),
        "sports": _names("sports, sport"),
        "business": _names("business, economy, finance, economics"),
        "science and technology": _names(
            "science and technology, sci tech, science, technology, tech, science technology"
        ),
        "entertainment": _names("entertainment, culture, arts"),
        "health": _names("health, medical, medicine"),
    },
    cues=_names("topic, topics, subject, category, news, headline, headlines, theme"),
    queries=("topic classification", "news classification"),
)
DOMAINS = {
    "tweet": "twitter", "tweets": "twitter", "film": "movie", "films": "movie", "movie": "movie", "movies": "movie",
    "product": "product", "products": "product", "news": "news", "headline": "news", "headlines": "news",
    "finance": "financial", "financial": "financial", "stock": "financial", "stocks": "financial",
    "review": "review", "reviews": "review",
    "restaurant": "restaurant", "hotel": "hotel", "medical": "medical", "legal": "legal", "sms": "sms",
}  # fmt: skip
"""Words of a sentence that say where the texts come from → the word that models for such texts are named with."""

FAMILIES = (SENTIMENT, TOXICITY, EMOTION, SPAM, IRONY, SUBJECTIVITY, TOPIC)


def normalise_name(name: str) -> str:
    """Return a label name in lower case, its words parted by one space: `Hate_speech` → "hate speech"."""
    return " ".join(_NOT_WORD.sub(" ", _CAMEL.sub(" ", name.strip())).casefold().split())


def split_negation(name: str) -> str | None:
    """Return what a normalised name denies ("not offensive", "nontoxic" → "offensive", "toxic"), or None."""
    rest = _NEGATION.sub("", name, count=1)
    return rest if rest and rest != name else None


def find_meaning(name: str, family: Family) -> str | None:
    """Return what a label name means within a family, or None."""
    name = normalise_name(name)
    if family is SENTIMENT and (stars := _STARS.fullmatch(name)):
        return ("negative", "negative", "neutral", "positive", "positive")[int(stars[1] or stars[2]) - 1]
    for meaning, names in family.meanings.items():
        if name in names:
            return meaning
    if (denied := split_negation(name)) is not None:
        inner = find_meaning(denied, family)
        return family.opposite.get(inner) if inner else None
    softer = _INTENSIFIER.sub("", name)
    return find_meaning(softer, family) if softer != name else None


def find_family(names: tuple[str, ...], text: str = "") -> Family | None:
    """Return the family in which two or more of the names have a meaning, else the one whose cues `text` has most of.

    None where neither tells.
    """
    words = frozenset(normalise_name(text).split())
    names = tuple(normalise_name(name) for name in names)

    def score(family: Family) -> tuple[int, int]:
        known = sum(find_meaning(split_negation(name) or name, family) is not None for name in names)
        return (known if known >= 2 else 0, len(family.cues & words))

    best = max(FAMILIES, key=score)
    return best if score(best) > (0, 0) else None
