"""Merges a low-rank adapter into the encoder's weights, with the same bits on every machine.

An adapter file holds, in float16: for each adapted matrix W the factors `<matrix>.lora_A` of shape (rank, n_in)
and `<matrix>.lora_B` of shape (n_out, rank), the scale already in B; and whole tensors that replace or join the
encoder's (pooler and classifier). The products are added one rank at a time, element by element: a matrix
product of a linear-algebra library may round differently on another processor, and the hash would change.
"""

from collections.abc import Mapping

import numpy as np

_PREFIX = "bert."
_UNUSED = "embeddings.position_ids"


def merge_adapter(encoder: Mapping[str, np.ndarray], adapter: Mapping[str, np.ndarray]) -> dict[str, np.ndarray]:
    """Return the classifier's tensors in float16, named as `BertForSequenceClassification` names them."""
    merged = {_PREFIX + name: value.astype(np.float32) for name, value in encoder.items() if name != _UNUSED}
    for name, value in adapter.items():
        if name.endswith(".lora_A"):
            matrix = name.removesuffix(".lora_A")
            target = f"{matrix}.weight"
            merged[target] = _add_product(merged[target], adapter[f"{matrix}.lora_B"], value)
        elif not name.endswith(".lora_B"):
            merged[name] = value
    return {name: np.ascontiguousarray(value.astype(np.float16)) for name, value in sorted(merged.items())}


def _add_product(weight: np.ndarray, left: np.ndarray, right: np.ndarray) -> np.ndarray:
    """Return weight (n_out, n_in) + left (n_out, rank) · right (rank, n_in), in float32."""
    left, right = left.astype(np.float32), right.astype(np.float32)
    total = weight.copy()
    for rank in range(right.shape[0]):
        total += np.multiply(left[:, rank, None], right[None, rank, :])
    return total
