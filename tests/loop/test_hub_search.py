"""`autoannotator hub search`: the table of models, as words and as JSON, and the filters that it shares with `run`."""

import json
import re
from pathlib import Path

import pytest

from autoannotator.command_line import main
from autoannotator.parser import parse
from autoannotator.settings import resolve_settings
from tests.conftest import SENTENCE, Cli
from tests.llm_server import play_team, serving
from tests.tiny_hub import LABELS, class_of, label_of

MODELS = {"tiny/film-sentiment", "tiny/product-sentiment", "tiny/review-sentiment"}


def test_the_table_says_what_is_kept_and_why(cli: Cli, tiny_hub: str, tmp_path: Path) -> None:
    done = cli("hub", "search", SENTENCE, "--hub", tiny_hub, cwd=tmp_path)
    assert done.returncode == 0, done.stderr
    assert "offline: no language model" in done.stderr
    assert "labels positive, negative" in done.stderr
    lines = done.stdout.splitlines()
    assert {found[0] for line in lines if (found := re.search(r"tiny/\S+", line))} == MODELS
    assert sum("kept: labels 2 of 2" in line for line in lines) == 3
    assert lines[-1].startswith("3 models seen with ")
    assert list(tmp_path.iterdir()) == [], "it leaves nothing behind"


def test_json_holds_every_model_and_every_step(cli: Cli, tiny_hub: str) -> None:
    done = cli("hub", "search", SENTENCE, "--hub", tiny_hub, "--json")
    told = json.loads(done.stdout.splitlines()[-1])
    assert {model["repo_id"] for model in told["models"] if model["kept"]} == MODELS
    assert all(model["read"] and 0 < model["score"] <= 1 and model["reason"] for model in told["models"])
    assert told["steps"][0]["action"] == "search"
    assert told["requests"] == sum(step["requests"] for step in told["steps"]) <= 56


def test_the_search_is_bounded_as_a_runs_is(cli: Cli, tiny_hub: str) -> None:
    bounds = ("--shortlist", "1", "--hub-requests", "20", "--select-threshold", "0.1")
    done = cli("hub", "search", SENTENCE, "--hub", tiny_hub, *bounds, "--json")
    told = json.loads(done.stdout.splitlines()[-1])
    assert sum(model["kept"] for model in told["models"]) == 1
    assert told["requests"] <= 20


@pytest.mark.parametrize(
    ("option", "value", "told"),
    [
        ("--max-params", "1K", "are over --max-params 1,000"),
        ("--licence", "mit,gpl", "its licence is apache-2.0, not --licence mit,gpl"),
        ("--language", "fr", "it reads english, and --language fr was asked for"),
    ],
)
def test_a_filter_names_itself_where_it_drops(  # noqa: PLR0917 (fixtures)
    tiny_hub: str,
    run_environment: dict[str, str],
    option: str,
    value: str,
    told: str,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    monkeypatch.setenv("AUTOANNOTATOR_CACHE", run_environment["AUTOANNOTATOR_CACHE"])
    assert main(["hub", "search", SENTENCE, "--hub", tiny_hub, option, value]) == 0
    printed = capsys.readouterr().out
    assert printed.count(told) == 3
    assert "0 kept" in printed


@pytest.mark.parametrize(
    ("option", "value", "told"),
    [
        ("--language", "de,xx", "--language 'xx' is not known"),
        ("--language", "germn", "the nearest are german"),
        ("--licence", "nosuch", "--licence 'nosuch' is not known"),
        ("--licence", "apache2.0", "the nearest are apache-2.0"),
        ("--licence", "license:", "--licence 'license:' is not known"),
    ],
)
def test_an_unknown_language_or_licence_is_refused_with_the_nearest(
    option: str, value: str, told: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["hub", "search", SENTENCE, "--hub", "http://127.0.0.1:9", option, value]) == 2
    assert told in capsys.readouterr().err


def test_languages_and_licences_are_kept_as_the_hub_writes_them() -> None:
    given = {"language": ["German", "pt_br", "multilingual"], "licence": ["Apache-2.0", "other", "license:New-1.0"]}
    settings = resolve_settings({"task": SENTENCE, "data": "", **given})
    assert settings.language == ("de", "pt-BR", "multilingual")
    assert settings.licence == ("apache-2.0", "other", "new-1.0")


def test_a_cache_that_cannot_be_written_ends_the_search(cli: Cli, tiny_hub: str, tmp_path: Path) -> None:
    (tmp_path / "hubs").write_text("a file is in the way")
    done = cli("hub", "search", SENTENCE, "--hub", tiny_hub, AUTOANNOTATOR_CACHE=str(tmp_path))
    assert done.returncode == 5
    assert str(tmp_path / "hubs") in done.stderr
    assert "AUTOANNOTATOR_CACHE" in done.stderr


def test_an_empty_cache_is_told_offline(cli: Cli, tmp_path: Path) -> None:
    done = cli("hub", "search", SENTENCE, HF_HUB_OFFLINE="1", HF_HOME=str(tmp_path))
    assert done.returncode == 5
    assert "no text classifier is in the cache" in done.stderr
    assert "--hub starter" in done.stderr


def test_a_language_model_may_search_and_select(cli: Cli, tiny_hub: str) -> None:
    with serving(play_team(LABELS, label_of, class_of)) as server:
        done = cli(
            "hub", "search", SENTENCE, "--hub", tiny_hub, "--llm", "openai:model", OPENAI_BASE_URL=server.base_url
        )
    assert done.returncode == 0, done.stderr
    assert "kept: yes (stated): It fits." in done.stdout


def test_labels_that_cannot_be_told_are_asked_for(cli: Cli, tiny_hub: str) -> None:
    done = cli("hub", "search", "Sort these texts", "--hub", tiny_hub)
    assert done.returncode == 2
    assert "--labels" in done.stderr


@pytest.mark.parametrize(
    ("words", "number"),
    [("150M", 150_000_000), ("1.5B", 1_500_000_000), ("110000000", 110_000_000), ("20k", 20_000), ("1_000", 1000)],
)
def test_a_number_of_parameters_may_be_short(words: str, number: int) -> None:
    assert parse(["hub", "search", "x", "--max-params", words]).max_params == number


@pytest.mark.parametrize("words", ["", "0", "1.5", "-1", "150 M M", "ten", "1T"])
def test_what_is_no_number_of_parameters_is_refused(words: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["hub", "search", "x", "--max-params", words]) == 2
    error = capsys.readouterr().err
    assert "150M, 1.5B" in error or "expected one argument" in error
