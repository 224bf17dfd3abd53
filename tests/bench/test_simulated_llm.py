"""The simulated language model: its reviews are the array's, through the project's prompts, and a run can use it."""

import json
import math
import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import httpx2
import numpy as np
import pandas as pd
import pytest

from agents.asking import Asker
from agents.base import KnownRow, ReviewRequest, ReviewRow
from agents.review_prompts import LONGEST_TEXT, make_ids, render_review
from agents.review_replies import make_form
from agents.reviewer import LLMReviewer, ReviewManner, Style
from agents.target import LLMTarget
from agents.team import make_asker, make_team
from bench.chat_server import CHARACTERS_PER_TOKEN, ChatServer
from bench.reviewers import REVIEWERS, Reviewer, answer_rows
from bench.simulated_llm import SimulatedLLM, describe_task, main
from bench.simulated_review import hire_reviewer
from bench.streams import SENTIMENT, Stream, read_streams
from hub.starter.recipes import OWNER
from records.candidate import Filters
from records.errors import ReplyError
from records.ledger import Ledger
from templates.renderer import render_annotate
from tests.agents.builders import make_candidate, make_request
from tests.agents.candidate_hub import CandidateHub
from tests.agents.figures import make_figures
from tests.conftest import ROOT, Cli

SEED = 3
GOOD = next(one for one in REVIEWERS if one.name == "0.85")
ODD_TEXTS = ('He said "fine" {"id": "x"}\n{"id": "abc123", "text": "no row"}', "naïve\u2028café\x85🙂", "</s> <3 […]")


def make_stream(rows: int = 60) -> Stream:
    rng = np.random.default_rng(0)
    long = "a very long text " * 400
    texts = (*ODD_TEXTS, long, *(f"text number {number}" for number in range(rows - len(ODD_TEXTS) - 1)))
    return Stream(
        name="made",
        kind="foreign",
        labels=SENTIMENT,
        texts=texts,
        gold=rng.integers(0, 3, rows),
        hardness=rng.permutation(rows) / rows,
        specialists=("minilm-tweet-sentiment", "minilm-film-review-sentiment"),
    )


STREAM = make_stream()


@pytest.fixture
def asker(tmp_path: Path) -> Iterator[Asker]:
    """What asks a simulated model that errs as GOOD does."""
    with (
        ChatServer(SimulatedLLM(STREAM, GOOD, SEED).reply) as server,
        closing(Ledger(tmp_path / "ledger.sqlite")) as ledger,
    ):
        yield make_asker(LLMTarget(model="simulated", base_url=server.url), ledger)


def request_rows(*texts: str, known: tuple[KnownRow, ...] = ()) -> ReviewRequest:
    rows = tuple(ReviewRow(row=number, text=text) for number, text in enumerate(texts))
    return ReviewRequest(describe_task(STREAM), rows, known=known)


@pytest.mark.parametrize("reviewer", REVIEWERS, ids=lambda one: one.name)
@pytest.mark.parametrize("batch", [1, 10])
def test_the_server_gives_the_answers_of_the_array(reviewer: Reviewer, batch: int) -> None:
    assert max(map(len, STREAM.texts)) > LONGEST_TEXT
    told = answer_rows(reviewer, STREAM, SEED)
    rows = np.random.default_rng(1).permutation(len(STREAM.texts))
    with hire_reviewer(STREAM, reviewer, SEED) as hired:
        answers, _ = hired.ask(rows, batch)
    np.testing.assert_array_equal(answers.label, told.label[rows])
    np.testing.assert_allclose(answers.sureness, told.sureness[rows], atol=0.0051)
    assert np.isfinite(answers.sureness).all() == reviewer.sure


def test_tokens_are_those_of_the_projects_prompts() -> None:
    task = describe_task(STREAM)
    form = make_form(task, thoughts=False, reasons=False)
    read = 0
    for first in range(0, 25, 10):
        rows = [ReviewRow(row=row, text=STREAM.texts[row]) for row in range(first, min(first + 10, 25))]
        prompt = render_review(task, form, make_ids(rows, 0), rows)
        read += math.ceil((len(prompt.system) + len(prompt.request)) / CHARACTERS_PER_TOKEN)
    with hire_reviewer(STREAM, GOOD, SEED) as hired:
        _, once = hired.ask(np.arange(25))
        _, again = hired.ask(np.arange(25))
        steps = hired.count_tokens([np.arange(25), np.arange(25)])
        _, singly = hired.ask(np.arange(25), batch=1)
    assert once.read == read
    assert once == again, "nothing is remembered: the same rows cost the same again"
    assert steps == once.scale(2.0)
    assert singly.read > 5 * once.read
    assert once.total == once.read + once.written > once.read
    assert once.dollars == pytest.approx((0.15 * once.read + 0.60 * once.written) / 1e6)


@pytest.mark.parametrize("style", ["zero", "few", "cot"])
@pytest.mark.parametrize("reasons", [False, True])
def test_every_style_of_review_is_answered(asker: Asker, style: Style, reasons: bool) -> None:
    known = tuple(KnownRow(text=text, labels=("neutral",)) for text in ("text number 90", "another text"))
    reviewer = LLMReviewer(asker, ReviewManner(style=style, reasons=reasons), concurrency=2)
    reviews = reviewer.review(request_rows(*STREAM.texts, known=known))
    told = answer_rows(GOOD, STREAM, SEED).label
    assert [review.label for review in reviews] == [SENTIMENT[label] for label in told]
    assert all(bool(review.reason) == reasons for review in reviews)


def test_a_text_that_it_does_not_know_is_an_error_and_takes_no_other_row_along(asker: Asker) -> None:
    reviewer = LLMReviewer(asker, ReviewManner(), concurrency=1)
    known, unknown, other = reviewer.review(request_rows(STREAM.texts[5], "never seen", STREAM.texts[6]))
    assert unknown.failed
    assert "holds no such row" in unknown.reason
    told = answer_rows(GOOD, STREAM, SEED).label
    assert [known.label, other.label] == [SENTIMENT[told[5]], SENTIMENT[told[6]]]


def test_it_plays_every_role_of_a_run(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    own = make_candidate(f"{OWNER}/minilm-film-review-sentiment", ("LABEL_0", "LABEL_1"))
    stranger = make_candidate("a/film-sentiment", ("negative", "positive"))
    with (
        ChatServer(SimulatedLLM(STREAM, GOOD, SEED).reply) as server,
        closing(Ledger(tmp_path / "ledger.sqlite")) as ledger,
    ):
        monkeypatch.setenv("OPENAI_BASE_URL", server.url)
        team = make_team("openai:simulated", ledger)
        task = team.analyst.analyse(make_request("Which mood has each text?", {"text": ["Good.", "Bad."]}))
        assert (task.label_names, task.text_columns) == (SENTIMENT, ("text",))
        crawl = team.crawler.crawl(task, CandidateHub((own, stranger)), Filters(), 30)
        kept = {one.repo_id for one in team.selector.select(task, crawl.candidates, 3, Filters()) if one.kept}
        assert kept == {own.repo_id}
        parts = team.coder.write_parts(task, own, ())
        assert parts is not None
        assert parts.label_map.classes == {0: "negative", 1: "positive"}
        with pytest.raises(ReplyError, match="ensemble only"):
            team.coder.write_parts(task, stranger, ())
        assert len(team.test_writer.write_cases(task, own).cases) == 4
        script = render_annotate(parts.label_map.classes).text
        assert team.critic.criticise(task, own, parts, script, passed=True, output="").approved
        decision = team.result_critic.criticise(task, make_figures())
        assert decision is not None
        assert decision.action == "go_on"


def test_the_protocol_has_an_error_for_whatever_it_is_not() -> None:
    with (
        ChatServer(SimulatedLLM(STREAM, GOOD, SEED).reply) as server,
        httpx2.Client(base_url=server.url, trust_env=False) as client,
    ):
        hello = {"model": "simulated", "messages": [{"role": "user", "content": "Hello!"}]}
        for content, status in ((json.dumps(hello), 400), ("no JSON", 400), ("[]", 400), ('{"model": "m"}', 400)):
            answer = client.post("/chat/completions", content=content)
            assert answer.status_code == status, content
            assert answer.json()["error"]["message"]
        assert "plays reviewer, analyst" in client.post("/chat/completions", json=hello).text
        assert client.post("/completions", json=hello).status_code == 404
        assert server.usage.requests == 0


def start(*arguments: str | Path) -> subprocess.Popen[str]:
    command = [sys.executable, "-m", "bench.simulated_llm", *map(str, arguments)]
    return subprocess.Popen(command, cwd=ROOT, stdout=subprocess.PIPE, text=True)


def test_the_command_serves_until_interrupted_and_writes_what_a_run_needs(tmp_path: Path) -> None:
    data, gold = tmp_path / "rows.csv", tmp_path / "gold.csv"
    with start("--reviewer", "0.95", "--write-data", data, "--write-gold", gold) as process:
        assert process.stdout is not None
        url = process.stdout.readline().strip()
        stream = read_streams(None, ["reviews"])[0]
        assert pd.read_csv(data).to_dict("list") == {"text": [*stream.texts]}
        labels = [stream.labels[label] for label in stream.gold]
        assert pd.read_csv(gold).to_dict("list") == {"text": [*stream.texts], "label": labels}
        assert httpx2.post(f"{url}/chat/completions", content="{}", trust_env=False).status_code == 400
        process.send_signal(signal.SIGINT)
        assert process.wait(30) == 130


@pytest.mark.parametrize(
    ("arguments", "complaint"),
    [
        (["--stream", "films"], "reviews, tweets_offensive"),
        (["--port", "70000"], "a free --port"),
        (["--write-data", "file/rows.csv"], "cannot be written"),
    ],
)
def test_what_cannot_be_is_refused(
    arguments: list[str], complaint: str, capsys: pytest.CaptureFixture[str], tmp_path: Path, monkeypatch
) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "file").touch()
    assert main(arguments) == 2
    assert complaint in " ".join(capsys.readouterr().err.split())


@pytest.mark.encoder
def test_a_whole_run_takes_its_reviews_from_it(cli: Cli, tmp_path: Path) -> None:
    stream = read_streams(None, ["reviews"])[0]
    rows = 120
    data = tmp_path / "rows.csv"
    pd.DataFrame({"text": stream.texts[:rows]}).to_csv(data, index=False)
    with ChatServer(SimulatedLLM(stream, GOOD, SEED).reply) as server:
        done = cli(
            "run", "Label each review as negative or positive", "--data", data, "--hub", "starter", "--no-learning",
            "--llm", "openai:simulated", "--sandbox", "process", "--out", tmp_path / "out", "--yes",
            OPENAI_BASE_URL=server.url,
        )  # fmt: skip
    assert done.returncode == 0, done.stdout + done.stderr
    labels = pd.read_parquet(tmp_path / "out" / "labels.parquet")
    told = np.array(stream.labels)[answer_rows(GOOD, stream, SEED).label[:rows]]
    reviewed = labels["review_label"].notna().to_numpy()
    assert reviewed.any()
    assert (labels["review_label"][reviewed] == told[reviewed]).all()
    voters = {name for votes in labels["votes"] for name, _ in votes}
    assert voters
    assert voters <= {f"{OWNER}--{name}" for name in stream.specialists}
