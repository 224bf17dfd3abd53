"""What the starter hub's specialists say of a stream: computed once by the annotate script, then kept by content."""

import hashlib
import tempfile
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from bench.streams import Stream, map_classes
from bench.throughput import fetch_subject, write_job
from graphs.engine import SECONDS_PER_SHARD, worker_spec
from hub.cache import default_cache
from hub.starter.manifest import read_manifest
from hub.starter.recipes import OWNER
from hub.starter_hub import open_starter_hub
from records.folder import write_table, written_whole
from records.protocol import AnnotateRequest
from records.rows import script_input
from sandbox.base import Output
from sandbox.process import ProcessSandbox
from specialists.arrays import Floats
from specialists.class_maps import read_classes
from specialists.embedding import fit_embedding

_SHARD = 500

Tell = Callable[[str], None]


@dataclass(frozen=True)
class Outputs:
    """What an ensemble says: `probs` (n_specialists, n_rows, n_labels), and the specialists' pooled hidden states side
    by side, embedded: `states` (n_rows, n_coordinates)."""

    probs: Floats
    states: npt.NDArray[np.float32]


def read_all_outputs(streams: Sequence[Stream], tell: Tell) -> list[Outputs]:
    """Return what each stream's specialists say of its rows, kept in the cache.

    Raises as `read_outputs` and the starter hub do.
    """
    with open_starter_hub(default_cache(), tell) as endpoint:
        cache = default_cache() / "bench" / "outputs"
        return [read_outputs(stream, endpoint, cache, tell) for stream in streams]


def read_outputs(stream: Stream, endpoint: str, cache: Path, tell: Tell) -> Outputs:
    """Return what the stream's specialists say of its rows, from the cache or from the models themselves.

    `endpoint` is the starter hub's. Raises ModelError, RequestFailed and WorkerDied as the engine does.
    """
    probs, features = [], []
    for name in stream.specialists:
        path = cache / f"{_hash_inputs(name, stream.texts)}.npz"
        if not path.exists():
            tell(f"{stream.name}, {stream.kind}: {name} annotates {len(stream.texts)} rows")
            _compute(name, stream.texts, endpoint, path)
        with np.load(path) as kept:
            classes = map_classes(name, stream.labels)
            probs.append(read_classes(kept["class_probs"].astype(np.float64), classes, stream.labels))
            features.append(kept["features"].astype(np.float32))
    hidden = np.concatenate(features, axis=1)
    return Outputs(np.stack(probs), fit_embedding(hidden, seed=0).embed(hidden).astype(np.float32))


def _hash_inputs(name: str, texts: Sequence[str]) -> str:
    digest = hashlib.sha256(read_manifest()[name].sha256.encode())
    for text in texts:
        digest.update(hashlib.sha256(text.encode()).digest())
    return digest.hexdigest()[:32]


def _compute(name: str, texts: Sequence[str], endpoint: str, path: Path) -> None:
    subject = fetch_subject(endpoint, f"{OWNER}/{name}")
    class_probs, features = [], []
    with tempfile.TemporaryDirectory(prefix="autoannotator-bench-") as temporary:
        scratch = Path(temporary)
        source, target = scratch / "rows.parquet", scratch / "labelled.parquet"
        with ProcessSandbox().open(worker_spec(write_job(subject, scratch), subject.threads)) as worker:
            for first in range(0, len(texts), _SHARD):
                part = texts[first : first + _SHARD]
                write_table(source, pa.table({"id": range(len(part)), "text": part}, schema=script_input()))
                worker.request(
                    AnnotateRequest(
                        id=str(first),
                        input="in/rows.parquet",
                        output="out/rows.parquet",
                        features=True,
                        classes=True,
                    ),
                    inputs={"rows.parquet": source},
                    outputs={"rows.parquet": Output(target, "parquet")},
                    seconds=SECONDS_PER_SHARD,
                )
                table = pq.read_table(target)
                class_probs.append(_as_matrix(table, "class_probs"))
                features.append(_as_matrix(table, "features"))
    path.parent.mkdir(parents=True, exist_ok=True)
    with written_whole(path) as unfinished, unfinished.open("wb") as file:
        np.savez(file, class_probs=np.concatenate(class_probs), features=np.concatenate(features))


def _as_matrix(table: pa.Table, column: str) -> npt.NDArray[np.generic]:
    """Return a column of lists of equal length as a matrix (n_rows, length)."""
    flat = pc.list_flatten(table[column])
    return flat.to_numpy().reshape(len(table), -1)
