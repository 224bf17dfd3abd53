"""Hidden states as a head can use them: a fixed map that is learned from unlabelled rows.

Hidden states are wide, correlated, and of other lengths for other specialists. They are standardised, turned onto their
principal axes, brought to length one, and compared with a few hundred of the task's own rows by a Gaussian kernel; the
kernel's square root makes coordinates of the similarities (Williams and Seeger 2001, the Nyström method). A linear
model on them is a kernel machine whose cost does not grow with the rows.
"""

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from specialists.arrays import Floats

Matrix = npt.NDArray[np.float32]

AXES = 256
"""Principal axes kept, at most."""

LANDMARKS = 300
"""Rows that others are compared with, at most. Twice as many gained nothing that could be measured."""

BANDWIDTH = 1.0
"""The kernel is exp(-BANDWIDTH · squared distance) between states of length one, so it lies between e^-4 and 1."""

_TINY = 1e-6


@dataclass(frozen=True)
class Embedding:
    """The map. `mean` and `scale` (n_features,), `axes` (n_features, n_axes), `landmarks` (n_landmarks, n_axes),
    `whitening` (n_landmarks, n_landmarks)."""

    mean: Matrix
    scale: Matrix
    axes: Matrix
    landmarks: Matrix
    whitening: Matrix

    def embed(self, features: Matrix) -> Floats:
        """Return the coordinates (n_rows, n_landmarks) of hidden states (n_rows, n_features); their lengths are near
        1."""
        return _compare(self._turn(features), self.landmarks) @ self.whitening.astype(np.float64)

    def _turn(self, features: Matrix) -> Matrix:
        return _shorten((features - self.mean) / self.scale @ self.axes)


def fit_embedding(features: Matrix, seed: int) -> Embedding:
    """Learn the map from hidden states (n_rows, n_features) of the task's rows, side by side for all specialists.

    A few thousand rows do. The same rows and seed give the same map.
    """
    mean = features.mean(axis=0, dtype=np.float64).astype(np.float32)
    scale = (features.std(axis=0, dtype=np.float64) + _TINY).astype(np.float32)
    standard = ((features - mean) / scale).astype(np.float64)
    _, vectors = np.linalg.eigh(standard.T @ standard)
    axes = vectors[:, ::-1][:, : min(AXES, len(features))].astype(np.float32)
    turned = _shorten((standard @ axes).astype(np.float32))
    chosen = np.random.default_rng(seed).permutation(len(features))[:LANDMARKS]
    landmarks = turned[np.sort(chosen)]
    values, basis = np.linalg.eigh(_compare(landmarks, landmarks))
    inverse_root = basis / np.sqrt(np.maximum(values, _TINY)) @ basis.T
    return Embedding(mean, scale, axes, landmarks, inverse_root.astype(np.float32))


def _shorten(turned: Matrix | Floats) -> Matrix:
    length = np.linalg.norm(turned, axis=1, keepdims=True)
    return (turned / np.maximum(length, _TINY)).astype(np.float32)


def _compare(rows: Matrix, landmarks: Matrix) -> Floats:
    """Return the kernel (n_rows, n_landmarks) of states of length one."""
    distance = 2.0 - 2.0 * (rows @ landmarks.T).astype(np.float64)
    return np.exp(-BANDWIDTH * np.maximum(distance, 0.0))
