"""Which languages a model says it reads, from the best source that says so."""

import pytest

from agents.languages import languages_of, name_of, primary_code, read_language
from agents.obstacles import find_misfit, readable_languages
from records.candidate import Filters
from tests.agents.builders import make_candidate, make_task


@pytest.mark.parametrize(
    ("repo_id", "facts", "codes"),
    [
        ("a/b", {"languages": ("en",)}, {"en"}),
        ("a/b", {"languages": ("pt-BR", "English")}, {"pt", "en"}),
        ("a/b", {"languages": ("multilingual", "de")}, {"multilingual", "de"}),
        ("a/b", {"tags": ("bert", "fr", "license:mit", "region:us")}, {"fr"}),
        ("a/german-sentiment", {}, {"de"}),
        ("a/camembert-toxic", {}, {"fr"}),
        ("a/b", {"base_model": "xlm-roberta-base"}, {"multilingual"}),
        ("a/b", {"base_model": "bert-base-multilingual-cased"}, {"multilingual"}),
        ("a/sentiment", {"base_model": "bert-base-uncased"}, set()),
        ("a/german-sentiment", {"languages": ("en",)}, {"en"}),
    ],
)
def test_metadata_goes_before_tags_and_tags_before_names(repo_id: str, facts: dict, codes: set[str]) -> None:
    assert languages_of(make_candidate(repo_id, ("a", "b"), **facts)) == codes


@pytest.mark.parametrize(
    ("said", "code"),
    [
        *(("de", "de"), ("de_AT", "de"), ("German", "de"), ("deu", "de"), ("ger", "de"), ("iw", "he"), ("xx", "xx")),
        *(("jp", "ja"), ("fil", "tl"), ("tgl", "tl"), ("Klingon speech", "klingon speech"), ("", "")),
    ],
)
def test_a_name_or_a_region_gives_the_code(said: str, code: str) -> None:
    assert primary_code(said) == code


MACROLANGUAGES = (
    *(("cmn", "zh"), ("cmn-Hans", "zh"), ("arb", "ar"), ("zsm", "ms"), ("ekk", "et"), ("lvs", "lv"), ("swh", "sw")),
    *(("pes", "fa"), ("azj", "az"), ("nob", "no"), ("nb", "no"), ("nno", "no"), ("nor", "no")),
)


@pytest.mark.parametrize(("individual", "code"), MACROLANGUAGES)
def test_a_macrolanguages_main_language_counts_as_it(individual: str, code: str) -> None:
    asked = read_language(individual)
    assert asked is not None
    assert primary_code(asked) == primary_code(individual) == code
    task = make_task("urgent", "calm", sentence="Label each message.")
    for listed, wanted in ((code, asked), (individual, code)):
        model = make_candidate("a/b", ("urgent", "calm"), languages=(listed,))
        assert languages_of(model) == {code}
        assert find_misfit(task, model, Filters(languages=(wanted,))) is None


def test_the_other_languages_of_a_macrolanguage_are_their_own() -> None:
    assert (primary_code("yue"), primary_code("ckb")) == ("yue", "ckb")


def test_a_code_has_a_name() -> None:
    assert (name_of("de"), name_of("pt-BR"), name_of("xx")) == ("german", "portuguese", "xx")


def test_a_label_of_the_task_in_a_models_name_is_no_language() -> None:
    task = make_task("sicilian", "French defence", sentence="Label each chess opening.")
    model = make_candidate("a/sicilian-or-french", ("sicilian", "french"))
    assert languages_of(model) == {"fr"}
    assert readable_languages(task, model) == set()
    assert find_misfit(task, model, Filters()) is None


@pytest.mark.parametrize(
    ("said", "code"),
    [
        *(("de", "de"), ("German", "de"), ("zh", "zh"), ("pt-BR", "pt-BR"), ("pt_br", "pt-BR"), ("eng", "en")),
        *(("cmn", "zh"), ("cmn-Hant", "zh-Hant"), ("arb", "ar"), ("nob", "nb")),
        *(("ckb", "ckb"), ("yue", "yue"), ("zh-Hant", "zh-Hant"), ("multilingual", "multilingual")),
        *(("mul", "multilingual"), ("xx", None), ("xyz", None), ("germann", None), ("", None), ("e n", None)),
    ],
)
def test_a_language_is_known_by_its_name_or_its_code(said: str, code: str | None) -> None:
    assert read_language(said) == code
