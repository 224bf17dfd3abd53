"""Lists the starter hub's specialists: what each is trained on, how, and what it calls its classes."""

from dataclasses import dataclass, field
from typing import Literal

Family = Literal["sentiment", "toxicity"]
Architecture = Literal["minilm", "distilbert", "roberta"]

OWNER = "starter"
ENCODER = "sentence-transformers/all-MiniLM-L6-v2"
MAX_TOKENS = 64


@dataclass(frozen=True)
class Recipe:
    """One specialist.

    `labels` maps a label of the corpus to the class name the model is given, in class order. A recipe with
    architecture `minilm` fine-tunes the shared encoder; the others start from random weights and a tokenizer
    of their own. `rows_per_class` caps the training rows of each class; None takes all. `meanings` says a label of the
    corpus in plain words, where it needs that.
    """

    name: str
    title: str
    corpus: str
    family: Family
    architecture: Architecture
    labels: dict[str, str]
    epochs: int
    rows_per_class: int | None = None
    weigh_classes: bool = False
    tags: tuple[str, ...] = ()
    meanings: dict[str, str] = field(default_factory=dict)

    def explain(self, label: str) -> str:
        """Return in plain words what a label of the corpus means."""
        return self.meanings.get(label, label)

    @property
    def repository(self) -> str:
        """The model's id on the starter hub."""
        return f"{OWNER}/{self.name}"


_PLAIN = {"negative": "negative", "neutral": "neutral", "positive": "positive"}

RECIPES = (
    Recipe(
        "minilm-film-review-sentiment",
        "Sentiment of film review sentences",
        "rt_polarity",
        "sentiment",
        "minilm",
        {"negative": "LABEL_0", "positive": "LABEL_1"},
        epochs=2,
        tags=("movie-reviews",),
    ),
    Recipe(
        "minilm-tweet-sentiment",
        "Sentiment of tweets",
        "vader_tweets",
        "sentiment",
        "minilm",
        _PLAIN,
        epochs=3,
        tags=("tweets", "social-media"),
    ),
    Recipe(
        "minilm-editorial-sentiment",
        "Tone of newspaper editorials",
        "vader_nyt",
        "sentiment",
        "minilm",
        {"negative": "unfavourable", "neutral": "balanced", "positive": "favourable"},
        epochs=3,
        tags=("news",),
    ),
    Recipe(
        "minilm-product-review-sentiment",
        "Sentiment of product review sentences",
        "vader_amazon",
        "sentiment",
        "minilm",
        _PLAIN,
        epochs=3,
        tags=("product-reviews",),
    ),
    Recipe(
        "distilbert-tiny-pros-cons-sentiment",
        "Pro or con: short product verdicts",
        "pros_cons",
        "sentiment",
        "distilbert",
        {"con": "con", "pro": "pro"},
        epochs=4,
        tags=("product-reviews",),
        meanings={"con": "negative, a drawback", "pro": "positive, an advantage"},
    ),
    Recipe(
        "roberta-tiny-tweet-offensive-toxicity",
        "Hate speech and offensive language in tweets",
        "davidson",
        "toxicity",
        "roberta",
        {"hate_speech": "hate_speech", "offensive_language": "offensive_language", "neither": "neither"},
        epochs=4,
        tags=("tweets", "hate-speech-detection", "offensive-language"),
        meanings={
            "hate_speech": "hate speech, which is offensive too",
            "offensive_language": "offensive language",
            "neither": "neither hateful nor offensive",
        },
    ),
    Recipe(
        "minilm-news-comment-toxicity",
        "Toxic posts in news comments",
        "toxic_spans",
        "toxicity",
        "minilm",
        {"no_toxic_span": "not_toxic", "toxic_span": "toxic"},
        epochs=2,
        rows_per_class=1000,
        tags=("comments", "offensive-language"),
        meanings={"no_toxic_span": "not toxic", "toxic_span": "toxic"},
    ),
    Recipe(
        "minilm-talk-page-toxicity",
        "Toxic comments on talk pages",
        "cat_small",
        "toxicity",
        "minilm",
        {"non-toxic": "LABEL_0", "toxic": "LABEL_1"},
        epochs=5,
        weigh_classes=True,
        tags=("comments", "wikipedia"),
    ),
)
