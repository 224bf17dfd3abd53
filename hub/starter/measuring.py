"""Measures a built specialist on held-out rows, as anybody with transformers would."""

from collections import Counter
from collections.abc import Sequence
from pathlib import Path

import torch
from transformers import AutoModelForSequenceClassification, AutoTokenizer
from transformers.utils.logging import disable_progress_bar

from hub.starter.corpora import Row
from hub.starter.fitting import encode, mean_recall, predict
from hub.starter.manifest import Measure

_MAX_TOKENS = 128


def measure_specialist(repository: Path, rows: Sequence[Row], names: dict[str, str]) -> Measure:
    """Return the scores of the model in `repository`; `names` maps a row's label to the model's class name."""
    found = classify_texts(repository, [row.text for row in rows])
    true = [names[row.label] for row in rows]
    hits = sum(given == wanted for given, wanted in zip(found, true, strict=True))
    return Measure(
        rows=len(rows),
        accuracy=round(hits / len(rows), 4),
        commonest=round(max(Counter(true).values()) / len(rows), 4),
        mean_recall=round(mean_recall(found, true), 4),
    )


def classify_texts(repository: Path, texts: Sequence[str]) -> list[str]:
    """Return the class name that the model in `repository` gives each text, computed in float32."""
    disable_progress_bar()
    model = AutoModelForSequenceClassification.from_pretrained(repository, dtype=torch.float32)
    tokenizer = AutoTokenizer.from_pretrained(repository)
    sequences = encode(tokenizer, texts, min(_MAX_TOKENS, tokenizer.model_max_length))
    return [model.config.id2label[index] for index in predict(model, tokenizer.pad_token_id, sequences)]
