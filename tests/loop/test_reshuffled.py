"""Real specialists whose classes were renamed to mislead: the audition reads them by what they say of rows."""

import json
import shutil
from pathlib import Path

import pytest

from autoannotator import annotate
from hub.cache import default_cache
from hub.encoder import fetch_encoder
from hub.server import HubServer
from hub.starter.build import build_starter_hub
from records.candidate import ModelsLock
from records.folder import read_record
from tests.conftest import ROOT, SENTENCE

DATA = ROOT / "bench" / "data"
RESHUFFLED = {
    "minilm-film-review-sentiment": (("positive", "negative"), ("negative", "positive")),
    "minilm-product-review-sentiment": (("neutral", "positive", "negative"), ("negative", None, "positive")),
    "minilm-tweet-sentiment": (("positive", "neutral", "negative"), ("negative", None, "positive")),
}
"""Model of the starter hub → the names that its classes are given, and what the classes truly stand for."""
ROWS = 300

pytestmark = pytest.mark.encoder


@pytest.fixture(scope="module")
def hub(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The starter hub's weights behind misleading names, and cards that say the same of them."""
    built = build_starter_hub(fetch_encoder(default_cache(), print), tmp_path_factory.mktemp("starter"))
    folder = tmp_path_factory.mktemp("hub")
    for name, (names, _) in RESHUFFLED.items():
        copy = folder / "mallory" / name
        shutil.copytree(built / "starter" / name, copy)
        config = json.loads((copy / "config.json").read_text(encoding="utf-8"))
        config |= {"id2label": dict(enumerate(names)), "label2id": {one: index for index, one in enumerate(names)}}
        (copy / "config.json").write_text(json.dumps(config), encoding="utf-8")
        head = (copy / "README.md").read_text(encoding="utf-8").split("---")[1]
        (copy / "README.md").write_text(f"---{head}---\nReads sentiment: {', '.join(names)}.\n", encoding="utf-8")
    return folder


def test_the_audition_finds_what_the_classes_truly_mean(hub: Path, tmp_path: Path) -> None:
    lines = (DATA / "reviews.jsonl").read_text(encoding="utf-8").splitlines()[:ROWS]
    (tmp_path / "reviews.jsonl").write_text("\n".join(lines), encoding="utf-8")
    with HubServer(hub) as server:
        run = annotate(
            SENTENCE, data=tmp_path / "reviews.jsonl", gold=DATA / "reviews_gold.jsonl", out=tmp_path / "out",
            hub=server.url, sandbox="process", learning=False, threads=1, concurrency=2,
        )  # fmt: skip
    lock = read_record(run.folder.lock, ModelsLock)
    found = {one.repo_id.partition("/")[2]: one for one in lock.specialists}
    assert set(found) == set(RESHUFFLED)
    for name, (_, truth) in RESHUFFLED.items():
        read = found[name].audition.label_map.found
        told = {index: label for index, label in read.items() if truth[index] is not None}
        assert told == {index: label for index, label in enumerate(truth) if label is not None}
        assert found[name].audition.label_map.status == "corrected"
        assert found[name].audition.accuracy > 0.65
