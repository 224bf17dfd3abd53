"""Fits a text classifier and measures one: the small training loop of the starter hub."""

import copy
import random
from collections import Counter
from collections.abc import Callable, Iterator, Sequence

import torch
from torch.nn.functional import cross_entropy
from transformers import PreTrainedTokenizerBase

_BATCH = 32
_WINDOW = 32 * _BATCH

Example = tuple[list[int], int]


def encode(tokenizer: PreTrainedTokenizerBase, texts: Sequence[str], max_tokens: int) -> list[list[int]]:
    """Return the token ids of each text, cut to `max_tokens`."""
    return tokenizer(list(texts), truncation=True, max_length=max_tokens)["input_ids"]


def fit(
    model: torch.nn.Module,
    pad_id: int,
    train: Sequence[Example],
    valid: Sequence[Example],
    class_weights: torch.Tensor,
    *,
    epochs: int,
    learning_rate: float,
    seed: int,
    report: Callable[[str], None],
) -> float:
    """Train the model in place, leave it at its best epoch, and return the validation score of that epoch.

    The score is the mean recall of the classes, so that a rare class counts. `class_weights` has shape
    (n_classes,). The learning rate rises for a tenth of the steps and then falls to zero.
    """
    parameters = [parameter for parameter in model.parameters() if parameter.requires_grad]
    optimiser = torch.optim.AdamW(parameters, lr=learning_rate, weight_decay=0.01)
    steps = epochs * -(-len(train) // _BATCH)
    schedule = torch.optim.lr_scheduler.LambdaLR(
        optimiser, lambda step: min((step + 1) / (0.1 * steps), (steps - step) / (0.9 * steps))
    )
    shuffler = random.Random(seed)  # noqa: S311 - shuffling rows is no secret
    best_score, best_state = -1.0, {}
    for epoch in range(1, epochs + 1):
        model.train()
        for batch in _batches(train, shuffler):
            tokens, mask, labels = _pad(batch, pad_id)
            logits = model(input_ids=tokens, attention_mask=mask).logits
            cross_entropy(logits, labels, weight=class_weights).backward()
            torch.nn.utils.clip_grad_norm_(parameters, 1.0)
            optimiser.step()
            optimiser.zero_grad()
            schedule.step()
        score = mean_recall(predict(model, pad_id, [ids for ids, _ in valid]), [label for _, label in valid])
        report(f"epoch {epoch}: mean recall {score:.3f} on the validation slice")
        if score > best_score:
            best_score, best_state = score, _trainable_state(model)
    model.load_state_dict(best_state, strict=False)
    return best_score


@torch.no_grad()
def predict(model: torch.nn.Module, pad_id: int, sequences: Sequence[list[int]]) -> list[int]:
    """Return the class index of each token sequence."""
    model.eval()
    order = sorted(range(len(sequences)), key=lambda index: len(sequences[index]))
    classes = [0] * len(sequences)
    for start in range(0, len(order), 64):
        chosen = order[start : start + 64]
        tokens, mask, _ = _pad([(sequences[index], 0) for index in chosen], pad_id)
        for index, found in zip(chosen, model(input_ids=tokens, attention_mask=mask).logits.argmax(-1), strict=True):
            classes[index] = int(found)
    return classes


def mean_recall(predicted: Sequence[object], actual: Sequence[object]) -> float:
    """Return the recall of each class present in `actual`, averaged."""
    rows = Counter(actual)
    hits = Counter(true for found, true in zip(predicted, actual, strict=True) if found == true)
    return sum(hits[label] / rows[label] for label in rows) / len(rows)


def _batches(examples: Sequence[Example], shuffler: random.Random) -> Iterator[list[Example]]:
    """Yield shuffled batches whose members are of similar length, which saves padding."""
    shuffled = list(examples)
    shuffler.shuffle(shuffled)
    batches = []
    for start in range(0, len(shuffled), _WINDOW):
        window = sorted(shuffled[start : start + _WINDOW], key=lambda example: len(example[0]))
        batches += [window[first : first + _BATCH] for first in range(0, len(window), _BATCH)]
    shuffler.shuffle(batches)
    yield from batches


def _pad(batch: Sequence[Example], pad_id: int) -> tuple[torch.Tensor, torch.Tensor, torch.Tensor]:
    """Return token ids and mask of shape (n, longest), and labels of shape (n,)."""
    longest = max(len(ids) for ids, _ in batch)
    tokens = torch.full((len(batch), longest), pad_id)
    mask = torch.zeros((len(batch), longest), dtype=torch.long)
    for row, (ids, _) in enumerate(batch):
        tokens[row, : len(ids)] = torch.tensor(ids)
        mask[row, : len(ids)] = 1
    return tokens, mask, torch.tensor([label for _, label in batch])


def _trainable_state(model: torch.nn.Module) -> dict[str, torch.Tensor]:
    return copy.deepcopy({name: value for name, value in model.named_parameters() if value.requires_grad})
