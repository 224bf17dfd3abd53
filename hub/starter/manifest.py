"""What is shipped of the starter hub, and what is known of each of its specialists."""

import hashlib
import json
from pathlib import Path

from records.base import Record

STARTER = Path(__file__).parent
MANIFEST = STARTER / "manifest.json"
ENCODER_FOLDER = STARTER / "encoder"
SPECIALISTS_FOLDER = STARTER / "specialists"
ENCODER_SHA256 = "53aa51172d142c89d9012cce15ae4d6cc0ca6895895114379cacb4fab128d9db"


class Measure(Record):
    """What a specialist scored: the share of rows it has right, and the recall of the classes, averaged.

    `commonest` is the share of the commonest class: the accuracy of an answer that is always the same.
    """

    rows: int
    accuracy: float
    commonest: float
    mean_recall: float


class ManifestEntry(Record):
    """One specialist: the sha256 of its built weights, its corpus and licence, and its held-out scores."""

    sha256: str
    corpus: str
    licence: str
    held_out: Measure


def read_manifest() -> dict[str, ManifestEntry]:
    """Return the specialists by name, in the order of the recipes."""
    entries = json.loads(MANIFEST.read_text(encoding="utf-8"))
    return {name: ManifestEntry.model_validate(entry) for name, entry in entries.items()}


def write_manifest(entries: dict[str, ManifestEntry]) -> None:
    """Write the manifest anew."""
    plain = {name: entry.model_dump() for name, entry in entries.items()}
    MANIFEST.write_text(json.dumps(plain, indent=2) + "\n", encoding="utf-8")


def hash_shipped_files() -> str:
    """Return a hash of everything that a starter hub is built from, apart from the encoder's weights."""
    digest = hashlib.sha256(MANIFEST.read_bytes())
    for folder in (ENCODER_FOLDER, SPECIALISTS_FOLDER):
        for file in sorted(file for file in folder.rglob("*") if file.is_file()):
            digest.update(file.relative_to(STARTER).as_posix().encode())
            digest.update(hashlib.sha256(file.read_bytes()).digest())
    return digest.hexdigest()
