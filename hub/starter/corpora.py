"""Names the licensed corpora that the starter hub's specialists are trained on, and reads them."""

from dataclasses import dataclass
from pathlib import Path

import pyarrow.parquet as pq

from hub.starter.split import Side, normalise_text, side


@dataclass(frozen=True)
class Corpus:
    """A corpus with what its licence asks to be told. `label_note` says how its labels came to be."""

    name: str
    file: str
    title: str
    source: str
    licence: str
    attribution: str
    label_note: str


@dataclass(frozen=True)
class Row:
    """One labelled text of a corpus."""

    id: str
    text: str
    label: str


_VADER_ATTRIBUTION = (
    "C.J. Hutto and E. Gilbert. VADER: A Parsimonious Rule-based Model for Sentiment Analysis of Social Media Text. "
    "ICWSM 2014."
)
_VADER_LABELS = (
    "The authors publish the mean of human ratings from -4 to 4. The classes are a cut made here: "
    "a mean above 0.5 is positive, below -0.5 negative, anything between neutral."
)
_VADER_SOURCE = "https://github.com/cjhutto/vaderSentiment"

CORPORA = {
    corpus.name: corpus
    for corpus in (
        Corpus(
            "rt_polarity",
            "rt_polarity.parquet",
            "Rotten Tomatoes sentence polarity",
            "https://github.com/nltk/nltk_data (sentence_polarity)",
            "cc-by-4.0",
            "B. Pang and L. Lee. Seeing stars: Exploiting class relationships for sentiment categorization with "
            "respect to rating scales. ACL 2005.",
            "Labels follow the reviewer's verdict on the film (fresh or rotten), not a reading of the sentence.",
        ),
        Corpus(
            "vader_tweets",
            "vader_tweets.parquet",
            "VADER tweets",
            _VADER_SOURCE,
            "mit",
            _VADER_ATTRIBUTION,
            _VADER_LABELS,
        ),
        Corpus(
            "vader_nyt",
            "vader_nyt.parquet",
            "VADER newspaper editorial snippets",
            _VADER_SOURCE,
            "mit",
            _VADER_ATTRIBUTION,
            _VADER_LABELS,
        ),
        Corpus(
            "vader_amazon",
            "vader_amazon.parquet",
            "VADER product review snippets",
            _VADER_SOURCE,
            "mit",
            _VADER_ATTRIBUTION,
            _VADER_LABELS,
        ),
        Corpus(
            "pros_cons",
            "pros_cons.parquet",
            "Pros and cons of product reviews",
            "https://github.com/nltk/nltk_data (pros_cons)",
            "cc-by-4.0",
            "M. Ganapathibhotla and B. Liu. Mining Opinions in Comparative Sentences. COLING 2008.",
            "A text's label is the field of the review form that it was written in. 20,000 of 45,867 texts, sampled.",
        ),
        Corpus(
            "davidson",
            "davidson_hate_offensive.parquet",
            "Davidson hate speech and offensive language tweets",
            "https://github.com/t-davidson/hate-speech-and-offensive-language",
            "mit",
            "T. Davidson, D. Warmsley, M. Macy and I. Weber. Automated Hate Speech Detection and the Problem of "
            "Offensive Language. ICWSM 2017.",
            "The majority of three or more raters. The licence covers the labels; the platform's terms may apply "
            "to the texts.",
        ),
        Corpus(
            "toxic_spans",
            "toxic_spans_votes.parquet",
            "Toxic spans of Civil Comments posts",
            "https://github.com/ipavlopoulos/toxic_spans",
            "cc0-1.0",
            "J. Pavlopoulos, J. Sorensen, L. Laugier and I. Androutsopoulos. SemEval-2021 Task 5: Toxic Spans "
            "Detection. SemEval 2021.",
            "A cut made here: toxic when most raters marked at least one toxic span. Ties are left out.",
        ),
        Corpus(
            "cat_small",
            "cat_small_toxicity.parquet",
            "CAT small: toxicity of Wikipedia talk comments",
            "https://github.com/ipavlopoulos/context_toxicity",
            "apache-2.0",
            "J. Pavlopoulos, J. Sorensen, L. Dixon, N. Thain and I. Androutsopoulos. Toxicity Detection: Does "
            "Context Really Matter? ACL 2020.",
            "The majority of three raters who did not see the parent comment.",
        ),
    )
}


def load_rows(corpus: Corpus, folder: Path, wanted: Side) -> list[Row]:
    """Return the labelled rows of one side, in file order, each distinct text once and none with two labels."""
    table = pq.read_table(folder / corpus.file, columns=["id", "text", "label"])
    rows = [
        Row(str(row["id"]), row["text"], row["label"])
        for row in table.to_pylist()
        if row["label"] is not None and side(row["text"]) == wanted
    ]
    return _drop_repeats(rows)


def _drop_repeats(rows: list[Row]) -> list[Row]:
    labels: dict[str, set[str]] = {}
    for row in rows:
        labels.setdefault(normalise_text(row.text), set()).add(row.label)
    kept: dict[str, Row] = {}
    for row in rows:
        text = normalise_text(row.text)
        if text and len(labels[text]) == 1:
            kept.setdefault(text, row)
    return list(kept.values())
