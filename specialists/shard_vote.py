"""Votes over millions of rows: the same decisions as `vote` and `dawid_skene`, shard by shard and in single precision.

Nothing here holds more than one shard's intermediate results. A label is decided by sums over specialists, so a shard's
result does not depend on where the file was cut.
"""

from collections.abc import Iterator

import numpy as np
import numpy.typing as npt

Singles = npt.NDArray[np.float32]
Small = npt.NDArray[np.int8]

SHARD_ROWS = 16_384
"""Rows at once: few enough for the processor's cache, many enough that Python's part does not count."""

_FLOOR = np.float32(0.01)


def cut_shards(rows: int) -> Iterator[slice]:
    """Yield slices that cover so many rows, in order."""
    for first in range(0, rows, SHARD_ROWS):
        yield slice(first, min(first + SHARD_ROWS, rows))


def combine_calibrated(probs: Singles, matrices: Singles, bias: Singles) -> tuple[Small, Singles]:
    """Return label (n_rows,) and its probability (n_rows,) under vector scaling of every specialist.

    `probs` (n_specialists, n_rows, n_labels); `matrices` (n_specialists, n_labels, n_labels) and `bias` (n_labels,):
    the logits are the sum over specialists of log-probabilities times their matrix, plus the bias (Guo et al. 2017,
    matrix and vector scaling; a scaled identity is temperature scaling). At most 127 labels.
    """
    specialists, rows, _ = probs.shape
    label, confidence = np.empty(rows, dtype=np.int8), np.empty(rows, dtype=np.float32)
    for shard in cut_shards(rows):
        logits = np.tile(bias, (shard.stop - shard.start, 1))
        for one in range(specialists):
            logs = np.maximum(probs[one, shard], _FLOOR)
            np.log(logs, out=logs)
            logits += logs @ matrices[one]
        best = logits.argmax(axis=1)
        label[shard] = best
        logits -= logits.max(axis=1, keepdims=True)
        np.exp(logits, out=logits)
        confidence[shard] = 1.0 / logits.sum(axis=1)
    return label, confidence


def name_votes(probs: Singles) -> Small:
    """Return each specialist's own label (n_specialists, n_rows) from probs (n_specialists, n_rows, n_labels)."""
    votes = np.empty(probs.shape[:2], dtype=np.int8)
    for one in range(len(probs)):
        for shard in cut_shards(probs.shape[1]):
            votes[one, shard] = probs[one, shard].argmax(axis=1)
    return votes
