"""What the specialists learn from, and whether what they learned may vote."""

from dataclasses import dataclass

import numpy as np

from specialists.arrays import Booleans, Floats, Integers


def choose_replay(label: Integers, confidence: Floats, size: int) -> Integers:
    """Return rows that keep a specialist from forgetting: the surest of each label, equally many of each.

    `label` and `confidence` (n_rows,) are of unreviewed rows on which all specialists agree. At most `size` rows are
    returned, in ascending order.
    """
    present = np.unique(label)
    if len(present) == 0:
        return np.empty(0, dtype=np.int64)
    each = max(1, size // len(present))
    by_sureness = np.argsort(-confidence, kind="stable")
    chosen = np.concatenate([by_sureness[label[by_sureness] == value][:each] for value in present])
    return np.sort(chosen[:size]).astype(np.int64)


def split_for_gate(rows: int, share: float, seed: int) -> Booleans:
    """Return a mask (n_rows,): True for the rows that are held out from training, to judge what was learned."""
    held_out = np.zeros(rows, dtype=np.bool_)
    held_out[np.random.default_rng(seed).permutation(rows)[: round(share * rows)]] = True
    return held_out


LEAST_GATE_ROWS = 8
"""With fewer held-out rows nothing is promoted."""


@dataclass(frozen=True)
class GateVerdict:
    """Whether a fine-tuned specialist replaces the one it came from, and why."""

    promoted: bool
    accuracy_before: float
    accuracy_after: float
    reason: str


def decide_promotion(before: Integers, after: Integers, truth: Integers, replayed: Booleans) -> GateVerdict:
    """Promote where more held-out rows come right than wrong, and none of the replayed ones is forgotten on balance.

    `before`, `after` and `truth` are label indices (n_rows,) on rows that neither version learned from;
    `replayed` marks those on which the specialists agreed already. Fewer than LEAST_GATE_ROWS rows prove nothing.
    """
    if len(truth) < LEAST_GATE_ROWS:
        return GateVerdict(False, 0.0, 0.0, f"{len(truth)} held-out rows are too few to judge by")
    right_before, right_after = before == truth, after == truth
    gained = int(right_after.sum()) - int(right_before.sum())
    forgotten = int(right_before[replayed].sum()) - int(right_after[replayed].sum())
    accuracy_before, accuracy_after = float(right_before.mean()), float(right_after.mean())
    if gained <= 0:
        reason = f"{gained:+d} of {len(truth)} held-out rows: no gain"
    elif forgotten > 0:
        reason = f"{gained:+d} of {len(truth)} held-out rows, but {forgotten} agreed rows forgotten"
    else:
        reason = f"{gained:+d} of {len(truth)} held-out rows, no agreed row forgotten"
    return GateVerdict(gained > 0 and forgotten <= 0, accuracy_before, accuracy_after, reason)
