"""Only safetensors are ever fetched, and nothing that decides what else is opened."""

import json
import pickle
from collections.abc import Callable
from pathlib import Path

import pytest

from agents.obstacles import find_obstacle
from hub.client import HubClient
from hub.server import HubServer, ServedRequest
from records.candidate import Candidate
from records.errors import ModelError

CLASSIFIER = {"pipeline_tag": "text-classification"}
SHARDS = ("model-00001-of-00002.safetensors", "model-00002-of-00002.safetensors")
INDEX = "model.safetensors.index.json"
ONLY_SAFETENSORS = "only safetensors weights are ever loaded, and it has no whole set of them at its root"

Make = Callable[..., Path]


class Trap:
    """A pickle that leaves a file where it is loaded."""

    def __init__(self, mark: Path) -> None:
        self.mark = mark

    def __reduce__(self) -> tuple[type, tuple[str, str]]:
        return open, (str(self.mark), "w")  # pyright: ignore[reportReturnType]


@pytest.fixture
def client(server: HubServer, tmp_path: Path) -> HubClient:
    return HubClient(server.url, tmp_path / "cache")


def read_first(client: HubClient, query: str) -> Candidate:
    """Return the first model that a search finds, read."""
    found = client.read(client.search(query, 1)[0])
    assert found is not None
    return found


def make_shards(make: Make, index: object) -> Path:
    """Write a model in two shards, its weights for the first the whole of them, and an index as given."""
    folder = make("eve/sharded", card=CLASSIFIER, config={})
    whole = folder / "model.safetensors"
    for name in SHARDS:
        (folder / name).write_bytes(whole.read_bytes())
    whole.unlink()
    (folder / INDEX).write_text(json.dumps(index))
    return folder


def fetched(requests: list[ServedRequest], repo_id: str) -> set[str]:
    """Return the names of the files of a repository that were asked for."""
    asked = (request.target.partition("?")[0] for request in requests)
    return {target.rpartition("/")[2] for target in asked if target.startswith(f"/{repo_id}/resolve/")}


@pytest.mark.parametrize(
    ("names", "reason"),
    [
        (("pytorch_model.bin",), f"{ONLY_SAFETENSORS} (it has .bin files)"),
        (("model.pt",), f"{ONLY_SAFETENSORS} (it has .pt files)"),
        (("epoch.ckpt", "tf_model.h5"), f"{ONLY_SAFETENSORS} (it has .ckpt, .h5 files)"),
        (("adapter_model.bin",), f"{ONLY_SAFETENSORS} (it has .bin files)"),
        (("adapter_model.safetensors",), "it is an adapter to another model, and only whole models are loaded"),
        (("onnx/model.safetensors",), ONLY_SAFETENSORS),
        (("model.fp16.safetensors",), ONLY_SAFETENSORS),
        (SHARDS, ONLY_SAFETENSORS),
        ((INDEX,), ONLY_SAFETENSORS),
        ((), ONLY_SAFETENSORS),
    ],
)
def test_a_repository_without_safetensors_is_refused_by_selection_and_download(
    client: HubClient, make_repository: Make, served_requests: list[ServedRequest], names: tuple[str, ...], reason: str
) -> None:
    folder = make_repository("eve/other", card=CLASSIFIER, config={}, weights=False)
    for name in names:
        (folder / name).parent.mkdir(exist_ok=True)
        (folder / name).write_bytes(b"never opened")
    candidate = read_first(client, "other")
    assert find_obstacle(candidate) == f"dropped: {reason}"
    with pytest.raises(ModelError) as caught:
        client.download(candidate)
    assert caught.value.what == f"eve/other: {reason}."
    assert fetched(served_requests, "eve/other") == {"README.md", "config.json"}


def test_beside_safetensors_nothing_else_is_asked_for(
    client: HubClient, make_repository: Make, served_requests: list[ServedRequest]
) -> None:
    card = CLASSIFIER | {"library_name": "transformers"}
    folder = make_repository("eve/both", card=card, config={"model_type": "bert"})
    others = (
        "pytorch_model.bin",
        "tf_model.h5",
        "modeling_own.py",
        "adapter_config.json",
        "adapter_model.bin",
        *SHARDS,
    )
    for name in (*others, INDEX):
        (folder / name).write_bytes(b"never opened")
    candidate = read_first(client, "both")
    assert find_obstacle(candidate) is None
    model = client.download(candidate)
    assert set(model.sha256) == {"config.json", "tokenizer.json", "model.safetensors"}
    assert fetched(served_requests, "eve/both") == {"README.md", *model.sha256}


def test_code_of_its_own_is_refused_by_selection_and_download(client: HubClient, make_repository: Make) -> None:
    config = {"model_type": "bert", "auto_map": {"AutoModelForSequenceClassification": "own.Own"}}
    make_repository("eve/own-code", card=CLASSIFIER, config=config)
    candidate = read_first(client, "own-code")
    assert "no repository's code is ever run" in (find_obstacle(candidate) or "")
    with pytest.raises(ModelError, match="auto_map"):
        client.download(candidate)


def test_a_model_in_shards_is_fetched_whole(client: HubClient, make_repository: Make) -> None:
    make_shards(make_repository, {"weight_map": {"a": SHARDS[0], "b": SHARDS[1]}})
    candidate = read_first(client, "sharded")
    assert set(client.download(candidate).sha256) == {"config.json", "tokenizer.json", INDEX, *SHARDS}


@pytest.mark.parametrize(
    "index",
    [
        {"weight_map": {"a": SHARDS[0], "b": "../model-00002-of-00002.safetensors"}},
        {"weight_map": {"a": SHARDS[0], "b": "/etc/passwd"}},
        {"weight_map": {"a": SHARDS[0], "b": "model-00003-of-00003.safetensors"}},
        {"weight_map": {"a": SHARDS[0], "b": "pytorch_model.bin"}},
        {"weight_map": {"a": SHARDS[0], "b": INDEX}},
        {"weight_map": {"a": SHARDS[0], "b": ["x"]}},
        {"weight_map": {"a": SHARDS[0], "b": None}},
        {"weight_map": {}},
        {"weight_map": [SHARDS[0]]},
        [],
    ],
)
def test_an_index_that_leads_elsewhere_is_refused_before_a_shard_is_fetched(
    client: HubClient, make_repository: Make, served_requests: list[ServedRequest], tmp_path: Path, index: object
) -> None:
    folder = make_shards(make_repository, index)
    (folder / "pytorch_model.bin").write_bytes(b"never opened")
    candidate = read_first(client, "sharded")
    with pytest.raises(ModelError, match=INDEX):
        client.download(candidate)
    assert INDEX in fetched(served_requests, "eve/sharded")
    assert not fetched(served_requests, "eve/sharded") & {*SHARDS, "pytorch_model.bin"}
    assert list(tmp_path.glob("cache/hubs/*/models/eve--sharded/*")) == []
    assert len(list(tmp_path.glob("cache/hubs/*/models/eve--sharded"))) == 1


def test_a_pickle_under_a_safetensors_name_is_refused_unopened(
    client: HubClient, make_repository: Make, tmp_path: Path
) -> None:
    folder = make_repository("eve/disguised", card=CLASSIFIER, config={})
    trap = pickle.dumps(Trap(tmp_path / "ran"))
    (folder / "model.safetensors").write_bytes(trap)
    candidate = read_first(client, "disguised")
    with pytest.raises(ModelError, match=r"model\.safetensors holds no safetensors"):
        client.download(candidate)
    assert not (tmp_path / "ran").exists()
    pickle.loads(trap).close()  # noqa: S301 (the control: loaded, it does leave its mark)
    assert (tmp_path / "ran").exists()
