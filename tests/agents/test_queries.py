"""The searches that rules write for a task."""

from agents.queries import Query, queries_by_rule
from records.candidate import Filters
from tests.agents.builders import make_task


def write(*labels: str, languages: tuple[str, ...] = (), **task) -> tuple[Query, ...]:
    queries = queries_by_rule(make_task(*labels, **task), Filters(languages=languages))
    assert len({(one.words, one.tag) for one in queries}) == len(queries)
    return queries


def words(queries: tuple[Query, ...]) -> list[str]:
    return [query.words for query in queries]


def test_they_speak_of_the_kind_its_synonyms_its_data_and_the_domain() -> None:
    tweets = words(write("positive", "negative", sentence="Label these tweets as positive or negative"))
    assert tweets[:2] == ["sentiment", "twitter sentiment"]
    assert {"polarity", "sst2", "imdb"} <= set(tweets)
    toxic = words(write("toxic", "not toxic"))
    assert toxic[0] == "toxic"
    assert {"offensive", "hate", "jigsaw"} <= set(toxic[:6])


def test_a_labels_own_name_is_searched_for() -> None:
    assert "sarcasm" in words(write("sarcasm", "not sarcasm"))[:3]
    assert "misogyny" in words(write("misogyny", "not misogyny"))[:6]


def test_another_language_is_searched_by_tag_name_and_code() -> None:
    german = write("positive", "negative", language="de")
    assert (german[0].words, german[0].tag) == ("sentiment", "de")
    assert words(german)[1] == "german sentiment"
    assert {"de sentiment", "multilingual sentiment"} <= set(words(german)[:7])
    assert any(query.tag is None and query.words == "sentiment" for query in german)


def test_the_language_that_was_asked_for_goes_before_the_tasks() -> None:
    assert write("positive", "negative", languages=("fr",))[1].words == "french sentiment"


def test_a_kind_that_no_rule_knows_is_searched_by_its_words_in_turn_and_then_by_what_these_are_forms_of() -> None:
    found = words(write("recipe", "story", sentence="Is each blog post a recipe or a true story?", family="x"))
    assert found[:4] == ["recipe", "blog", "story", "post"]
    assert {"recip", "stori"} <= set(found[4:])


def test_a_word_that_says_how_to_label_and_the_languages_own_name_are_not_searched_for() -> None:
    sentence = "Sort the German messages by which dish they mention"
    found = {query.words for query in write("soup", "salad", sentence=sentence, language="de") if not query.tag}
    assert {"soup", "salad", "dish"} <= found
    assert not {"sort", "which", "mention", "german"} & found


def test_a_task_without_a_telling_word_has_no_searches() -> None:
    assert write("a", "b", sentence="Is it a or b?", family="", language="de") == ()


def test_every_search_says_why() -> None:
    assert all(query.reason for query in write("joy", "anger", "fear", language="es"))


def test_models_whose_names_say_nothing_are_searched_for_by_data_set_and_tag() -> None:
    tags = [query.tag for query in write("toxic", "not toxic") if not query.words]
    assert any(tag and tag.startswith("dataset:") for tag in tags)
    assert "toxic" in tags
    assert "de" in [query.tag for query in write("soup", "salad", language="de") if not query.words]
