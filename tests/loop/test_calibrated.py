"""Whole runs in which the vote learns from a reviewer: a poor one, gold rows, stages of odd sizes, and kills."""

import hashlib
from collections.abc import Callable, Iterator
from contextlib import closing
from pathlib import Path
from typing import Any

import pandas as pd
import pytest

from autoannotator.api import Run, annotate, open_run
from graphs.reviewing import CALIBRATION_STEP
from hub.server import HubServer
from records.events import Event, RowsReviewed
from records.folder import read_record
from records.outcome import Forecast
from records.review_book import ReviewBook
from tests.conftest import SENTENCE
from tests.llm_server import play_team, serving
from tests.tiny_hub import LABELS, build_tiny_hub, class_of, label_of, make_sentences

STAGE, ROWS = 40, 161
"""Four whole stages, and a last one of one row."""
WITHOUT_TEXT = range(STAGE, 2 * STAGE)
"""A whole stage without a text."""
TWICE = (4, 130)
"""A gold row, and its copy but for white space and case in a later stage."""
GOLD = [*range(0, STAGE, 2), *range(2 * STAGE, 2 * STAGE + 20)]
"""Rows of the first and the third stage whose label the person gives."""

pytestmark = pytest.mark.xdist_group("calibrated")


def err(text: str) -> bool:
    """Return whether the poor reviewer errs on a text: on three in ten, always the same."""
    return hashlib.sha256(" ".join(text.casefold().split()).encode()).digest()[0] < 77


def judge_poorly(text: str) -> str:
    right = label_of(text)
    return LABELS[1 - LABELS.index(right)] if err(text) else right


def write_rows() -> pd.DataFrame:
    texts = [text for text, _ in make_sentences(ROWS, seed=21)]
    for number in WITHOUT_TEXT:
        texts[number] = "  "
    texts[TWICE[1]] = f" {texts[TWICE[0]].upper()}"
    return pd.DataFrame({"id": [f"r{n}" for n in range(ROWS)], "text": texts})


class KilledError(Exception):
    """The process was killed, say."""


def run(hub: str, out: Path, on_event: Callable[[Event], None] = lambda event: None, **settings: Any) -> Run:
    options = {"sandbox": "process", "stage_size": STAGE, "learning": False, "models": 2, **settings}
    return annotate(SENTENCE, data=write_rows(), hub=hub, out=out, on_event=on_event, yes=True, **options)


SETTINGS: dict[str, Any] = {"llm": "openai:scripted", "worth": 0, "review_share": 0.3}


@pytest.fixture(scope="module")
def gold(tmp_path_factory: pytest.TempPathFactory) -> str:
    path = tmp_path_factory.mktemp("gold") / "gold.csv"
    rows = write_rows().iloc[GOLD]
    rows.assign(label=rows["text"].map(label_of))[["id", "label"]].to_csv(path, index=False)
    return str(path)


@pytest.fixture(scope="module")
def folder(gold: str, run_environment: dict[str, str], tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """Where the runs are; for as long as there are any, the poor reviewer answers.

    The specialists are so good that few of its answers would change a label: rows without that are reviewed as well.
    """
    with serving(play_team(LABELS, judge_poorly, class_of)) as server, pytest.MonkeyPatch.context() as patch:
        patch.setattr("graphs.choice.LEAST_WORTH", 0.0)
        patch.setenv("OPENAI_BASE_URL", server.base_url)
        for name in ("AUTOANNOTATOR_CACHE", "HF_HOME"):
            patch.setenv(name, run_environment[name])
        yield tmp_path_factory.mktemp("runs")


@pytest.fixture(scope="module")
def two_models(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    with HubServer(build_tiny_hub(tmp_path_factory.mktemp("hub"), ("film-sentiment", "review-sentiment"))) as server:
        yield server.url


@pytest.fixture(scope="module")
def whole(two_models: str, folder: Path, gold: str) -> Run:
    return run(two_models, folder / "whole", gold=gold, **SETTINGS)


@pytest.fixture(scope="module")
def labels(whole: Run) -> pd.DataFrame:
    return whole.labels


def test_every_labelled_row_has_the_probability_of_its_label(labels: pd.DataFrame) -> None:
    labelled = labels["label"].notna()
    assert (~labelled).sum() == len(WITHOUT_TEXT), "a stage without a text is passed over"
    assert labels["confidence"].notna().equals(labelled)
    assert labels["confidence"][labelled].between(0.5, 1.0).all(), "of two labels the likelier one"
    certain = labels["confidence"] == 1.0
    assert certain.equals(labels["source"] == "gold"), "nobody else is certain"


def test_gold_rows_are_kept(labels: pd.DataFrame) -> None:
    rows = labels.iloc[GOLD]
    assert (rows["source"] == "gold").all()
    assert (rows["label"] == rows["text"].map(label_of)).all()


def test_gold_rows_are_put_to_the_reviewer_before_the_forecast(whole: Run) -> None:
    rows = write_rows()
    with closing(ReviewBook(whole.folder.ledger)) as book:
        asked = [one.review for one in book.list_step(CALIBRATION_STEP)]
    assert {one.row for one in asked} < set(GOLD)
    assert [one.label for one in asked] == [judge_poorly(rows["text"][one.row]) for one in asked]
    assert len(asked) == read_record(whole.folder.forecast, Forecast).reviewed == 20, "no fewer, however small the file"


def test_a_poor_reviewer_is_evidence_and_not_truth(labels: pd.DataFrame) -> None:
    reviewed = labels[labels["review_label"].isin(LABELS) & (labels["source"] != "gold")]
    kept = reviewed[reviewed["label"] != reviewed["review_label"]]
    assert len(kept) >= 5
    assert (kept["source"] == "vote").all()
    assert (kept["review_label"] == kept["text"].map(judge_poorly)).all(), "what was said is told all the same"
    followed = reviewed.drop(index=kept.index)
    assert (followed["source"] == "llm").all()
    truth = reviewed["text"].map(label_of)
    assert (reviewed["label"] == truth).mean() > (reviewed["review_label"] == truth).mean() + 0.1


def test_a_copy_has_the_answer_and_the_label_of_its_first(labels: pd.DataFrame) -> None:
    first, copy = (labels.iloc[number] for number in TWICE)
    assert copy["copied_from"] == first["id"]
    assert (copy["label"], copy["source"], copy["confidence"]) == (first["label"], "gold", 1.0)
    assert labels["copied_from"].notna().sum() == 1


def test_every_round_is_in_the_events(whole: Run) -> None:
    told = [event for event in whole.folder.read_events() if isinstance(event, RowsReviewed)]
    risk = {stage: [one.rows for one in told if (one.stage, one.kind) == (stage, "risk")] for stage in range(5)}
    assert risk == {0: [10, 2], 1: [0], 2: [10, 2], 3: [10, 2], 4: [0]}, "three in ten of a stage, ten to a round"
    stages = [pd.read_parquet(whole.folder.stage_labels(stage)) for stage in range(5)]
    table = pd.concat(stages)
    reviewed = table["review_label"].notna() & table["copied_from"].isna()
    assert reviewed.sum() == sum(one.rows for one in told) + len(GOLD)


def test_a_run_that_dies_in_a_round_ends_as_one_that_did_not(
    whole: Run, two_models: str, folder: Path, gold: str
) -> None:
    def die(event: Event) -> None:
        if isinstance(event, RowsReviewed) and (event.stage, event.kind, event.round) == (2, "risk", 1):
            raise KilledError("after the answers were written down, before the round was")

    with pytest.raises(KilledError):
        run(two_models, folder / "killed", die, gold=gold, **SETTINGS)
    killed = open_run(folder / "killed").resume(lambda event: None, yes=True)
    assert killed.labels.equals(whole.labels)


def test_the_papers_rule_reviews_what_is_disputed(two_models: str, folder: Path, gold: str) -> None:
    paper = run(two_models, folder / "paper", gold=gold, llm="openai:scripted", rule="disagreement", spot_check_share=0)
    table = pd.concat([pd.read_parquet(paper.folder.stage_labels(stage)) for stage in range(5)], ignore_index=True)
    disputed = table["votes"].map(lambda votes: votes is not None and len({label for _, label in votes}) > 1)
    asked = table["review_label"].notna() & table["copied_from"].isna() & (table["source"] != "gold")
    copies = table["copied_from"].notna()
    assert disputed.sum() >= 5
    assert asked.equals(disputed & (table["source"] != "gold") & ~copies)


def test_gold_rows_teach_without_a_language_model(two_models: str, folder: Path, gold: str) -> None:
    offline = run(two_models, folder / "offline", gold=gold, llm="offline")
    labels = offline.labels
    labelled = labels["label"].notna()
    assert labels["confidence"][labelled].between(0.5, 1.0).all()
    rows = labels.iloc[GOLD]
    assert (rows["source"] == "gold").all()
    assert (rows["confidence"] == 1.0).all()
    risk = [one.rows for one in offline.folder.read_events() if isinstance(one, RowsReviewed) and one.kind == "risk"]
    assert risk == [0] * 5, "it knows less than a vote that gold rows taught"
