"""Gold rows: found by id or by text, kept as they are, and refused where they do not fit the task or the data."""

from pathlib import Path

import pandas as pd
import pytest

from autoannotator.command_line import main
from tests.conftest import SENTENCE, Cli
from tests.odd_hub import TWO, Auditioned, Odd, label_odd, run_odd, write_odd_hub, write_rows

MODELS = {
    "ann/honest-sentiment": Odd(("negative", "positive"), ("negative", "positive"), mistaken=0),
    "ann/reversed-sentiment": Odd(("negative", "positive"), ("positive", "negative"), mistaken=1),
}
ROWS = "id,text\na,a good film\nb,a bad film\nc,a dull plot\nd,A good  film\n"
REFUSED = {
    "no file": (None, "gold.csv"),
    "no table": (b"\x00\xff\x00", "gold.csv"),
    "an empty file": (b"", "empty"),
    "no label column": (b"id,verdict\na,positive\n", "it has no column 'label': its columns are id, verdict"),
    "no way to find rows": (b"words,label\ngood,positive\n", "its rows cannot be found in the data"),
    "no row of the data": (b"id,label\nz,positive\n", "none of its 1 labelled rows is a row of the data"),
    "two labels of one row": (b"id,label\na,positive\nb,\na,negative\n", "rows 0 and 2 are of one text or id"),
    "two labels of one text": (b"id,label\na,positive\nd,negative\n", "the rows a and d have one text"),
    "no label at all": (b"id,label\na,\nb, \n", "its column 'label' has no label in any of its 2 rows"),
    "a number that is no label": (b"id,label\na,1\n", "row 0: the label '1' is none of the task's"),
    "another label": (b"id,label\na,positive\nb,so-so\n", "row 1: the label 'so-so' is none of the task's"),
}


@pytest.mark.parametrize("name", REFUSED)
def test_a_gold_file_that_does_not_fit_is_refused_and_nothing_is_left(
    name: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    content, said = REFUSED[name]
    (tmp_path / "rows.csv").write_text(ROWS)
    if content is not None:
        (tmp_path / "gold.csv").write_bytes(content)
    given = ("--data", str(tmp_path / "rows.csv"), "--gold", str(tmp_path / "gold.csv"), "--text", "text")
    out = tmp_path / "out"
    status = main(["run", SENTENCE, *given, "--hub", "http://127.0.0.1:9", "--sandbox", "process", "--out", str(out)])
    error = capsys.readouterr().err
    assert status == 2, error
    assert said in error
    assert "gold.csv" in error
    assert "--text" not in error
    assert not out.exists()


@pytest.fixture(scope="module")
def by_text(cli: Cli, tmp_path_factory: pytest.TempPathFactory) -> Auditioned:
    """A run whose gold rows have no id, labels in other case, empty cells, one row twice and one of other data.

    Two of them say the contrary of what the words say.
    """
    folder = tmp_path_factory.mktemp("gold")
    data, _ = write_rows(folder, TWO, 3)
    texts = pd.read_csv(data)["text"]
    gold = pd.DataFrame({"text": texts.str.upper(), "label": texts.map(label_odd).str.title()}).head(40)
    gold.loc[[0, 1], "label"] = gold.loc[[0, 1], "label"].map({"Positive": "Negative", "Negative": "Positive"})
    gold.loc[[38, 39], "label"] = ""
    again = pd.DataFrame({"text": [texts[2], "of other data"], "label": [label_odd(texts[2]), "negative"]})
    pd.concat([gold, again]).to_csv(folder / "by_text.csv", index=False)
    hub = write_odd_hub(folder / "hub", MODELS)
    return run_odd(cli, hub, TWO, data, folder / "out", "--gold", folder / "by_text.csv")


@pytest.mark.xdist_group("gold")
def test_gold_rows_keep_their_label(by_text: Auditioned) -> None:
    labels = pd.read_parquet(by_text.folder.labels)
    assert labels["source"].tolist()[:38] == ["gold"] * 38
    assert "gold" not in labels["source"].tolist()[38:]
    truth = labels["text"].map(label_odd)
    assert (labels["label"][:2] != truth[:2]).all(), "what the person says stands, against every vote"
    assert (labels["label"][2:38] == truth[2:38]).all()


@pytest.mark.xdist_group("gold")
def test_gold_rows_that_are_not_in_the_data_are_told_of(by_text: Auditioned) -> None:
    assert "38 of the 39 gold rows were found; 1 are not in the data" in by_text.printed


@pytest.mark.xdist_group("gold")
def test_gold_rows_judge_the_maps(by_text: Auditioned) -> None:
    assert by_text.maps == {name: model.label_map for name, model in MODELS.items()}
    assert {one["truth"] for one in by_text.auditions.values()} == {"gold"}
    assert {one["rows"] for one in by_text.auditions.values()} == {38}


@pytest.mark.parametrize("kind", ["few", "of one label"])
def test_gold_rows_that_cannot_judge_a_map_may_contradict_it(cli: Cli, tmp_path: Path, kind: str) -> None:
    """Of these two models the consensus cannot say which is right."""
    hub = write_odd_hub(tmp_path / "hub", MODELS)
    data, path = write_rows(tmp_path, TWO, 5)
    gold = pd.read_csv(path)
    (gold.head(12) if kind == "few" else gold[gold["label"] == "negative"]).to_csv(path, index=False)
    run = run_odd(cli, hub, TWO, data, tmp_path / "out", "--gold", path)
    assert list(run.maps) == ["ann/honest-sentiment"]
    assert "rows get the label that is expected of them" in run.dropped["ann/reversed-sentiment"]
    assert "gold rows cannot judge models" in " ".join(run.printed.split())
    assert {one["truth"] for one in run.auditions.values()} == {"consensus"}


def test_a_model_alone_is_not_held_against_itself(cli: Cli, tmp_path: Path) -> None:
    name = "ann/honest-sentiment"
    hub = write_odd_hub(tmp_path / "hub", {name: MODELS[name]})
    data, _ = write_rows(tmp_path, TWO, 3)
    run = run_odd(cli, hub, TWO, data, tmp_path / "out")
    verdict = run.auditions[name]["label_map"]
    assert (verdict["status"], verdict["margin"]) == ("untested", 0.0)
    printed = " ".join(run.printed.split())
    assert "label map untested" in printed
    assert f"Nothing could test what the classes of {name} mean" in printed
