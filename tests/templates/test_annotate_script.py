"""The annotate script, imported: how it reads models, texts and logits."""

import json
import shutil
from collections.abc import Callable
from pathlib import Path
from types import ModuleType

import numpy
import pyarrow as pa
import pytest

from records.rows import script_output
from templates.renderer import Rendered, render_annotate
from tests.templates.toy import LABEL_MAP, LABELS, make_rows, save_model

Load = Callable[[Rendered], ModuleType]
Run = Callable[..., pa.Table]


def open_annotator(
    module: ModuleType,
    model: Path,
    labels: tuple[str, ...] = LABELS,
    kind: str = "single_label",
    dtype: str = "float32",
):
    return module.Annotator(str(model), labels, kind, dtype)


def test_trained_model_labels_the_toy_task(annotate: ModuleType, toy_model: Path, run_rows: Run) -> None:
    rows = make_rows(200, seed=999)
    table = run_rows(open_annotator(annotate, toy_model), [row.text for row in rows])
    assert table.schema.equals(script_output(labels=2))
    assert table["id"].to_pylist() == list(range(10, 210))
    right = sum(answer == row.label for answer, row in zip(table["label"].to_pylist(), rows, strict=True))
    assert right >= 190
    for label, score, probs in zip(*(table[name].to_pylist() for name in ("label", "score", "probs")), strict=True):
        assert sum(probs) == pytest.approx(1.0, abs=1e-5)
        assert (label, score) == (LABELS[probs.index(max(probs))], max(probs))


def test_order_of_labels_file_decides_the_order_of_probs(annotate: ModuleType, toy_model: Path, run_rows: Run) -> None:
    there = run_rows(open_annotator(annotate, toy_model), ["good", "bad"])["probs"].to_pylist()
    back = run_rows(open_annotator(annotate, toy_model, LABELS[::-1]), ["good", "bad"])["probs"].to_pylist()
    assert back == [probs[::-1] for probs in there]


@pytest.mark.parametrize("kind", ["bert", "roberta", "distilbert", "xlm-roberta", "electra", "deberta-v2"])
def test_every_architecture_reads_odd_texts(annotate: ModuleType, kind: str, tmp_path: Path, run_rows: Run) -> None:
    extra = {"pad_token_id": 0} if kind == "xlm-roberta" else {}
    if kind == "xlm-roberta":
        extra = {"pad_token_id": 0, "type_vocab_size": 1}
    annotator = open_annotator(annotate, save_model(tmp_path / "model", kind, **extra))
    texts = ["", None, "\N{GRINNING FACE}", "good " * 20_000, "x" * 100_000, "这部电影非常好看", "good"]
    table = run_rows(annotator, texts, features=True)
    assert table.schema.equals(script_output(labels=2, features=32))
    assert table.num_rows == len(texts)
    assert table["features"].null_count == 0
    assert table["probs"].to_pylist()[0] == table["probs"].to_pylist()[1]  # a missing text is read as an empty one


def test_roberta_reads_fewer_tokens_than_it_has_positions(annotate: ModuleType, tmp_path: Path) -> None:
    bert = open_annotator(annotate, save_model(tmp_path / "bert", "bert"))
    roberta = open_annotator(annotate, save_model(tmp_path / "roberta", "roberta"))
    assert bert.classifier.max_tokens == 64
    assert roberta.classifier.max_tokens == 62  # positions start after the padding index, 1


def test_huge_text_is_cut_before_it_is_tokenized(load_script: Load, toy_model: Path, run_rows: Run) -> None:
    module = load_script(render_annotate(LABEL_MAP, preprocess="SEEN.append(len(text))\nreturn text"))
    module.SEEN = []
    run_rows(open_annotator(module, toy_model), ["x" * 100_000, "good"])
    assert module.SEEN == [20 * 64, 4]


def test_a_pair_is_read_as_a_pair(load_script: Load, annotate: ModuleType, toy_model: Path, run_rows: Run) -> None:
    annotator = open_annotator(annotate, toy_model, kind="text_pair")
    table = run_rows(annotator, ["good", "good", None], pairs=["bad word1", None, "bad"], features=True)
    assert table.schema.equals(script_output(labels=2, features=32, kind="text_pair"))
    first, single = annotator.classifier.encode(["good"], ["bad word1"]), annotator.classifier.encode(["good"])
    assert first[0]["token_type_ids"] == [0, 0, 0, 1, 1, 1]
    assert single[0]["token_type_ids"] == [0, 0, 0]
    joined = load_script(render_annotate(LABEL_MAP, preprocess='return f"{text} {text_pair}"'))
    together = open_annotator(joined, toy_model, kind="text_pair").classifier.encode(["good"], ["bad"])
    assert together == annotator.classifier.encode(["good bad"])


def test_both_texts_of_a_long_pair_are_read(annotate: ModuleType, toy_model: Path) -> None:
    annotator = open_annotator(annotate, toy_model, kind="text_pair")
    (encoded,) = annotator.classifier.encode(["good " * 500], ["bad " * 500])
    assert len(encoded["input_ids"]) == 64
    assert 25 < sum(encoded["token_type_ids"]) < 40


@pytest.mark.parametrize(
    "body", ["return None", "return (text, 1)", "return [text]", "return text if 'a' in text else (text, text)"]
)
def test_what_preprocess_must_not_return_is_named(load_script: Load, toy_model: Path, body: str) -> None:
    annotator = open_annotator(load_script(render_annotate(LABEL_MAP, preprocess=body)), toy_model)
    with pytest.raises(ValueError, match="a text for every row, or a pair"):
        annotator.classifier.encode(["bad", "good"])


def test_labels_of_a_multi_label_task_are_independent(load_script: Load, tmp_path: Path, run_rows: Run) -> None:
    import torch

    labels = ("angry", "sad", "glad")
    module = load_script(render_annotate({0: "angry", 1: "angry", 2: None, 3: "sad"}))
    settings = {"num_labels": 4, "problem_type": "multi_label_classification"}
    annotator = open_annotator(module, save_model(tmp_path / "model", "bert", **settings), labels, "multi_label")
    probs = annotator.classifier.read_labels(torch.logit(torch.tensor([[0.2, 0.75, 0.9, 0.625]])))
    assert probs[0].tolist() == pytest.approx([0.75, 0.625, 0.0])
    table = run_rows(annotator, ["good", "bad", ""])
    assert table.schema.equals(script_output(labels=3, kind="multi_label"))
    for answer, score, probs in zip(*(table[name].to_pylist() for name in ("label", "score", "probs")), strict=True):
        assert answer == [label for label, prob in zip(labels, probs, strict=True) if prob >= 0.5]
        assert score == max(probs)
    many = module.pick_answers(labels, numpy.array([[0.5, 0.9, 0.1], [0.1, 0.2, 0.3]], numpy.float32), "multi_label")
    assert many.to_pylist() == [["angry", "sad"], []]


def test_class_probabilities_are_those_before_the_label_map(load_script: Load, tmp_path: Path, run_rows: Run) -> None:
    module = load_script(render_annotate({0: "sad", 1: None, 2: "glad", 3: "sad"}))
    model = save_model(tmp_path / "model", "bert", num_labels=4)
    table = run_rows(open_annotator(module, model, ("glad", "sad")), ["good", "bad", ""], features=True, classes=True)
    assert table.schema.equals(script_output(labels=2, features=32, classes=4))
    for own, probs in zip(table["class_probs"].to_pylist(), table["probs"].to_pylist(), strict=True):
        assert sum(own) == pytest.approx(1.0, abs=1e-5)
        mapped = [own[2], own[0] + own[3]]
        assert probs == pytest.approx([one / sum(mapped) for one in mapped], abs=1e-5)


def test_numbers_do_not_depend_on_the_other_rows(annotate: ModuleType, toy_model: Path, run_rows: Run) -> None:
    annotator = open_annotator(annotate, toy_model)
    texts = [row.text for row in make_rows(300, seed=5)]
    together = run_rows(annotator, texts, features=True)
    assert run_rows(annotator, texts, features=True).equals(together)
    alone = run_rows(annotator, texts[7:8], features=True)
    assert alone["probs"].to_pylist()[0] == pytest.approx(together["probs"].to_pylist()[7], abs=1e-4)
    assert alone["features"].to_pylist()[0] == pytest.approx(together["features"].to_pylist()[7], abs=1e-2)


def test_batches_hold_like_lengths_within_the_budget(annotate: ModuleType) -> None:
    lengths = [3, 500, 3, 40, 500, 5000, 3]
    batches = annotate.plan_batches(lengths)
    assert sorted(row for batch in batches for row in batch) == list(range(7))
    assert [row for batch in batches for row in batch] == [0, 2, 6, 3, 1, 4, 5]
    for batch in batches:
        assert len(batch) == 1 or len(batch) * max(lengths[row] for row in batch) <= annotate.BATCH_TOKENS


def test_classes_of_one_label_add_up_and_unmapped_ones_are_left_out(
    load_script: Load, tmp_path: Path, run_rows: Run
) -> None:
    import torch

    module = load_script(render_annotate({0: "positive", 1: None, 2: "positive", 3: "negative"}))
    labels = ("negative", "neutral", "positive")
    annotator = open_annotator(module, save_model(tmp_path / "model", "bert", num_labels=4), labels)
    probs = annotator.classifier.read_labels(torch.log(torch.tensor([[0.1, 0.5, 0.2, 0.2]])))
    assert probs[0].tolist() == pytest.approx([0.4, 0.0, 0.6])
    nothing = annotator.classifier.read_labels(torch.tensor([[-200.0, 200.0, -200.0, -200.0]]))
    assert nothing[0].tolist() == pytest.approx([0.5, 0.0, 0.5])  # the mapped classes got nothing: an even answer
    assert set(run_rows(annotator, ["good", "bad"])["label"].to_pylist()) <= {"negative", "positive"}


def test_one_logit_and_many_labels_are_read_with_the_sigmoid(load_script: Load, tmp_path: Path) -> None:
    import torch

    module = load_script(render_annotate(LABEL_MAP))
    one = open_annotator(module, save_model(tmp_path / "one", "bert", num_labels=1))
    assert one.classifier.read_labels(torch.zeros(1, 1))[0].tolist() == [0.5, 0.5]
    assert one.classifier.read_labels(torch.full((1, 1), 4.0))[0].tolist() == pytest.approx([0.018, 0.982], abs=1e-3)
    many = open_annotator(
        module, save_model(tmp_path / "many", "bert", num_labels=2, problem_type="multi_label_classification")
    )
    logits = torch.tensor([[-1.0, 2.0]])
    expected = torch.sigmoid(logits)[0] / torch.sigmoid(logits).sum()
    assert many.classifier.read_labels(logits)[0].tolist() == pytest.approx(expected.tolist())


def test_model_that_cannot_be_read_is_refused(
    load_script: Load, annotate: ModuleType, toy_model: Path, tmp_path: Path
) -> None:
    import torch

    annotator = open_annotator(annotate, toy_model)
    with pytest.raises(ValueError, match="not finite"):
        annotator.classifier.read_labels(torch.tensor([[float("nan"), 0.0]]))
    with pytest.raises(ValueError, match=r"classes \[0, 1\], the model answered \(1, 3\)"):
        annotator.classifier.read_labels(torch.zeros(1, 3))
    with pytest.raises(ValueError, match=r"names \['positive'\]"):
        open_annotator(annotate, toy_model, ("negative", "neutral"))
    with pytest.raises(ValueError, match="no class"):
        open_annotator(load_script(render_annotate({0: None, 1: None})), toy_model)
    raw = open_annotator(load_script(render_annotate(LABEL_MAP, read_logits="return logits")), toy_model)
    for numbers in ([-1.0, 0.5], [0.5, 2.0]):
        with pytest.raises(ValueError, match="no probabilities"):
            raw.classifier.read_labels(torch.tensor([numbers]))
    regression = open_annotator(
        annotate, save_model(tmp_path / "regression", "bert", num_labels=2, problem_type="regression")
    )
    with pytest.raises(ValueError, match="regression"):
        regression.classifier.read_labels(torch.zeros(1, 2))


def test_a_regression_is_read_by_the_function_that_was_written_for_it(load_script: Load, tmp_path: Path) -> None:
    import torch

    body = "stars = logits[:, :1]\nyes = torch.sigmoid(stars - 3)\nreturn torch.cat([1 - yes, yes], dim=1)"
    model = save_model(tmp_path / "stars", "bert", num_labels=1, problem_type="regression")
    annotator = open_annotator(load_script(render_annotate(LABEL_MAP, read_logits=body)), model)
    assert annotator.classifier.read_labels(torch.tensor([[3.0]]))[0].tolist() == [0.5, 0.5]


def test_folder_without_a_trained_head_is_refused(annotate: ModuleType, toy_model: Path, tmp_path: Path) -> None:
    from safetensors.torch import load_file, save_file

    folder = tmp_path / "headless"
    shutil.copytree(toy_model, folder)
    weights = load_file(folder / "model.safetensors")
    kept = {name: weight for name, weight in weights.items() if not name.startswith("classifier")}
    save_file(kept, folder / "model.safetensors", metadata={"format": "pt"})
    with pytest.raises(ValueError, match=r"lacks weights: \['classifier.bias', 'classifier.weight'\]"):
        open_annotator(annotate, folder)


def test_pickled_weights_are_refused(annotate: ModuleType, toy_model: Path, tmp_path: Path) -> None:
    import torch

    folder = tmp_path / "pickled"
    shutil.copytree(toy_model, folder)
    (folder / "model.safetensors").unlink()
    torch.save({}, folder / "pytorch_model.bin")
    with pytest.raises(OSError, match="safetensors"):
        open_annotator(annotate, folder)


def test_code_of_a_model_is_not_run(annotate: ModuleType, toy_model: Path, tmp_path: Path) -> None:
    folder = tmp_path / "remote"
    shutil.copytree(toy_model, folder)
    config = json.loads((folder / "config.json").read_text())
    config |= {
        "model_type": "own",
        "auto_map": {"AutoConfig": "own.Own", "AutoModelForSequenceClassification": "own.Own"},
    }
    (folder / "config.json").write_text(json.dumps(config))
    (folder / "own.py").write_text(f"open({str(tmp_path / 'ran')!r}, 'w')\n")
    with pytest.raises(ValueError, match=r"trust_remote_code|custom code"):
        open_annotator(annotate, folder)
    assert not (tmp_path / "ran").exists()


def test_a_library_s_own_class_stands_before_code_of_a_model(
    annotate: ModuleType, toy_model: Path, tmp_path: Path
) -> None:
    folder = tmp_path / "remote"
    shutil.copytree(toy_model, folder)
    for name, kind in (
        ("config.json", "AutoModelForSequenceClassification"),
        ("tokenizer_config.json", "AutoTokenizer"),
    ):
        content = json.loads((folder / name).read_text())
        own = ["own.Own", None] if kind == "AutoTokenizer" else "own.Own"
        (folder / name).write_text(json.dumps({**content, "auto_map": {kind: own}}))
    (folder / "own.py").write_text(f"open({str(tmp_path / 'ran')!r}, 'w')\n")
    assert type(open_annotator(annotate, folder).classifier.model).__module__.startswith("transformers.")
    assert not (tmp_path / "ran").exists()


def test_no_rows_give_an_empty_table(annotate: ModuleType, toy_model: Path, run_rows: Run) -> None:
    table = run_rows(open_annotator(annotate, toy_model), [], features=True)
    assert table.schema.equals(script_output(labels=2, features=32))
    assert table.num_rows == 0


def test_bfloat16_gives_nearly_the_same_answers(annotate: ModuleType, toy_model: Path, run_rows: Run) -> None:
    texts = [row.text for row in make_rows(50, seed=8)]
    exact = run_rows(open_annotator(annotate, toy_model), texts)["label"].to_pylist()
    short = open_annotator(annotate, toy_model, dtype="bfloat16")
    assert short.describe()["dtype"] == "bfloat16"
    answers = run_rows(short, texts)["label"].to_pylist()
    assert sum(a == b for a, b in zip(exact, answers, strict=True)) >= 48
