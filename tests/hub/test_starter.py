"""The starter hub as a stranger gets it: built with the shipped hashes, served, read and run like any Hub model."""

import subprocess
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import torch
from huggingface_hub import ModelCard
from safetensors.numpy import load_file, save_file
from transformers import AutoModelForSequenceClassification, AutoTokenizer

from hub.client import HubClient
from hub.server import HubServer
from hub.starter.adapters import merge_adapter
from hub.starter.build import ADAPTER, build_starter_hub, starter_weight_hashes
from hub.starter.corpora import CORPORA
from hub.starter.manifest import (
    ENCODER_SHA256,
    MANIFEST,
    SPECIALISTS_FOLDER,
    STARTER,
    read_manifest,
)
from hub.starter.recipes import ENCODER, RECIPES, Recipe
from records.errors import InfrastructureError
from records.folder import file_sha256

MOST_BYTES = 9_000_000


@pytest.fixture(scope="module")
def built(encoder_weights: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    return build_starter_hub(encoder_weights, tmp_path_factory.mktemp("starter"))


def test_a_folder_that_cannot_be_made_is_named(tmp_path: Path) -> None:
    (tmp_path / "file").write_bytes(b"")
    with pytest.raises(InfrastructureError, match="AUTOANNOTATOR_CACHE") as caught:
        build_starter_hub(tmp_path / "encoder.safetensors", tmp_path / "file" / "starter")
    assert str(tmp_path / "file" / "starter") in caught.value.what


@pytest.mark.encoder
def test_a_disk_that_fills_is_named_and_left_empty(encoder_weights: Path, mount_disk: Callable[[str], Path]) -> None:
    disk = mount_disk("size=100m")
    with pytest.raises(InfrastructureError, match="No space left on device") as caught:
        build_starter_hub(encoder_weights, disk)
    assert str(disk) in caught.value.what
    assert list(disk.iterdir()) == []


def test_every_recipe_is_trained_and_measured() -> None:
    manifest = read_manifest()
    assert list(manifest) == [recipe.name for recipe in RECIPES]
    for recipe in RECIPES:
        entry = manifest[recipe.name]
        assert entry.corpus == recipe.corpus
        assert entry.held_out.rows >= 400
        assert entry.held_out.mean_recall > 1.1 / len(recipe.labels), "no better than guessing"


def test_what_git_keeps_is_small() -> None:
    listed = subprocess.run(["git", "ls-files", "-z", "."], cwd=STARTER, capture_output=True, text=True, check=True)
    files = [STARTER / name for name in listed.stdout.split("\0") if name]
    assert MANIFEST in files
    assert sum(file.stat().st_size for file in files) <= MOST_BYTES


def test_the_merge_adds_the_product_of_the_factors() -> None:
    draw = np.random.default_rng(0)
    weight = draw.normal(size=(6, 4)).astype(np.float32)
    left, right = draw.normal(size=(6, 2)).astype(np.float16), draw.normal(size=(2, 4)).astype(np.float16)
    head = draw.normal(size=(3, 4)).astype(np.float16)
    merged = merge_adapter(
        {"layer.query.weight": weight, "layer.key.weight": weight, "embeddings.position_ids": np.arange(3)},
        {"bert.layer.query.lora_A": right, "bert.layer.query.lora_B": left, "classifier.weight": head},
    )
    assert sorted(merged) == ["bert.layer.key.weight", "bert.layer.query.weight", "classifier.weight"]
    expected = weight.astype(np.float64) + left.astype(np.float64) @ right.astype(np.float64)
    np.testing.assert_allclose(merged["bert.layer.query.weight"], expected, rtol=2e-3, atol=2e-3)
    np.testing.assert_array_equal(merged["bert.layer.key.weight"], weight.astype(np.float16))
    assert {value.dtype for value in merged.values()} == {np.dtype(np.float16)}


@pytest.mark.encoder
def test_a_fresh_build_has_the_shipped_hashes(built: Path) -> None:
    manifest = read_manifest()
    for name, entry in manifest.items():
        assert file_sha256(built / "starter" / name / "model.safetensors") == entry.sha256
    assert file_sha256(built / ENCODER / "model.safetensors") == ENCODER_SHA256
    weights = {file_sha256(file) for file in built.rglob("*.safetensors")}
    assert weights == starter_weight_hashes()
    assert len(weights) == len(RECIPES) + 1


@pytest.mark.encoder
def test_building_again_changes_nothing(built: Path, encoder_weights: Path) -> None:
    before = {file: file.stat().st_mtime_ns for file in built.rglob("*")}
    assert build_starter_hub(encoder_weights, built.parent) == built
    assert {file: file.stat().st_mtime_ns for file in built.rglob("*")} == before
    assert list(built.parent.iterdir()) == [built]


@pytest.mark.encoder
def test_another_encoder_is_noticed_and_nothing_is_left(encoder_weights: Path, tmp_path: Path) -> None:
    tensors = load_file(encoder_weights)
    tensors["pooler.dense.bias"][0] += 1  # replaced by every adapter: must not matter
    tensors["encoder.layer.0.output.dense.bias"][0] += 1
    other = tmp_path / "other.safetensors"
    save_file(tensors, other)
    with pytest.raises(InfrastructureError, match="the manifest says"):
        build_starter_hub(other, tmp_path / "starter")
    assert list((tmp_path / "starter").iterdir()) == []


@pytest.mark.encoder
def test_cards_state_data_licence_and_measured_accuracy(built: Path) -> None:
    manifest = read_manifest()
    for recipe in RECIPES:
        card = ModelCard.load(built / "starter" / recipe.name / "README.md")
        corpus, entry = CORPORA[recipe.corpus], manifest[recipe.name]
        assert card.data.license == entry.licence
        assert card.data.pipeline_tag == "text-classification"
        assert card.data.datasets == [recipe.corpus]
        assert (card.data.base_model == ENCODER) == (SPECIALISTS_FOLDER / recipe.name / ADAPTER).exists()
        [accuracy] = [result for result in card.data.eval_results or [] if result.metric_type == "accuracy"]
        assert accuracy.metric_value == entry.held_out.accuracy
        for said in (corpus.attribution, corpus.licence, corpus.source, f"{entry.held_out.rows:,} held-out"):
            assert said in card.text
        for name in recipe.labels.values():
            assert f"`{name}`" in card.text


@pytest.mark.encoder
def test_the_served_hub_is_searched_and_downloaded_like_any_other(built: Path, tmp_path: Path) -> None:
    with HubServer(built) as server:
        client = HubClient(server.url, tmp_path)
        for family, fewest in (("sentiment", 4), ("toxicity", 3)):
            found = client.search(family, 20)
            assert len(found) >= fewest
            assert {model.repo_id.removeprefix("starter/") for model in found} == {
                recipe.name for recipe in RECIPES if recipe.family == family
            }
        listed = [model for family in ("sentiment", "toxicity") for model in client.search(family, 20)]
        by_name = {model.repo_id: client.read(model) for model in listed}
        for recipe in RECIPES:
            candidate = by_name[recipe.repository]
            assert candidate is not None
            assert tuple(candidate.id2label.values()) == tuple(recipe.labels.values())
            assert candidate.max_length in (64, 512)
            weights = client.download(candidate).sha256["model.safetensors"]
            assert weights in starter_weight_hashes()


@pytest.mark.encoder
@pytest.mark.parametrize("recipe", RECIPES, ids=lambda recipe: recipe.name)
def test_transformers_runs_every_model_in_the_dtypes_of_the_scripts(built: Path, recipe: Recipe) -> None:
    folder = built / "starter" / recipe.name
    tokenizer = AutoTokenizer.from_pretrained(folder)
    long_text = "really good , really bad " * 2_000
    batch = tokenizer([long_text, "", "ok"], truncation=True, padding=True, return_tensors="pt")
    for dtype in (torch.float32, torch.bfloat16):
        model = AutoModelForSequenceClassification.from_pretrained(folder, dtype=dtype)
        with torch.no_grad():
            logits = model(**batch).logits
        assert logits.shape == (3, len(recipe.labels))
        assert torch.isfinite(logits).all()
