"""Writes a specialist's model card in the Hub's form: metadata in YAML, then what a reader must know."""

import yaml

from hub.starter.corpora import Corpus
from hub.starter.manifest import Measure
from hub.starter.recipes import ENCODER, MAX_TOKENS, Recipe

_TASK_TAGS = {
    "sentiment": ("sentiment-analysis", "sentiment"),
    "toxicity": ("toxicity", "toxic-comment-classification"),
}


def choose_licence(recipe: Recipe, corpus: Corpus) -> str:
    """Return the licence of the model: a fine-tune stays under the encoder's unless its corpus asks for attribution."""
    if recipe.architecture == "minilm" and not corpus.licence.startswith("cc-by"):
        return "apache-2.0"
    return corpus.licence


def write_card(recipe: Recipe, corpus: Corpus, train_rows: int, measure: Measure) -> str:
    """Return the text of README.md."""
    metadata = yaml.safe_dump(_describe(recipe, corpus, measure), sort_keys=False, allow_unicode=True)
    classes = "\n".join(
        f"| {index} | `{name}` | {recipe.explain(label)} |" for index, (label, name) in enumerate(recipe.labels.items())
    )
    return f"""---
{metadata}---

# {recipe.title}

{_origin(recipe)}

## How to read its labels

| class | name | meaning |
|---|---|---|
{classes}

## Training data

{train_rows:,} texts of *{corpus.title}*, licence {corpus.licence}, taken from {corpus.source}.
{corpus.attribution}
{corpus.label_note}

Half of the corpus was never trained on: a text is held out by the hash of its normalised form, so that the same text
in another corpus is on the same side.

## Measured

On {measure.rows:,} held-out texts of the same corpus: accuracy {measure.accuracy:.1%} (always naming the commonest
class would have {measure.commonest:.1%}), recall averaged over the classes {measure.mean_recall:.1%} (guessing has
{1 / len(recipe.labels):.1%}). Texts from elsewhere were not measured: expect less.

## Limits

English only. Trained on the first {MAX_TOKENS} tokens of short texts. A small model for a first vote, not for decisions
about people.
"""


def _origin(recipe: Recipe) -> str:
    if recipe.architecture == "minilm":
        return (
            f"A fine-tune of [{ENCODER}](https://huggingface.co/{ENCODER}) (Apache-2.0): a rank-8 low-rank adapter on "
            "the query and value matrices of its upper layers, merged into the weights, and a classification head."
        )
    kind = {"distilbert": "DistilBERT", "roberta": "RoBERTa"}[recipe.architecture]
    return f"A {kind} of two narrow layers, trained from random weights with a tokenizer of its own."


def _describe(recipe: Recipe, corpus: Corpus, measure: Measure) -> dict[str, object]:
    """Return the card's metadata, with the keys that the Hub knows."""
    metadata: dict[str, object] = {
        "license": choose_licence(recipe, corpus),
        "language": ["en"],
        "library_name": "transformers",
        "pipeline_tag": "text-classification",
        "datasets": [corpus.name],
        "tags": ["text-classification", *_TASK_TAGS[recipe.family], *recipe.tags],
    }
    if recipe.architecture == "minilm":
        metadata["base_model"] = ENCODER
    metrics = [
        {"type": "accuracy", "value": measure.accuracy},
        {"type": "recall", "name": "recall, macro average", "value": measure.mean_recall},
    ]
    result = {
        "task": {"type": "text-classification"},
        "dataset": {"name": corpus.title, "type": corpus.name, "split": "held_out"},
        "metrics": metrics,
    }
    metadata["model-index"] = [{"name": recipe.name, "results": [result]}]
    return metadata
