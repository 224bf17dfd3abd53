import pytest

from agents.analyst_rules import OfflineAnalyst
from agents.base import PersonAnswer
from records.errors import SettingsError, TaskUnclearError
from tests.agents.builders import make_request

SHORT, LONG = ["a b", "c d"], ["a text of many words, long enough", "another one that goes on and on"]
SENTENCE = "Label each review as positive or negative"


def test_everything_inferred_is_listed() -> None:
    task = OfflineAnalyst().analyse(make_request(SENTENCE, {"id": None, "text": LONG}))
    assert task.label_names == ("positive", "negative")
    assert task.text_columns == ("text",)
    assert task.family == "sentiment analysis"
    assert set(task.inferred) == {"labels", "text_columns", "language", "family"}


def test_what_was_stated_wins_and_is_not_called_inferred() -> None:
    request = make_request(
        "Is each German tweet toxic?", {"a": LONG, "text": LONG}, labels=("ok", "not ok"), text_columns=("a", "text")
    )
    task = OfflineAnalyst().analyse(request)
    assert task.label_names == ("ok", "not ok")
    assert task.text_columns == ("a", "text")
    assert task.language == "de"
    assert task.inferred == ("family",)


@pytest.mark.parametrize(
    ("columns", "chosen"),
    [
        ({"anything": SHORT, "n": None}, "anything"),
        ({"author": LONG, "Tweet": SHORT}, "Tweet"),
        ({"title": LONG, "text": SHORT}, "text"),
        ({"user": LONG, "review_text": SHORT}, "review_text"),
        ({"a": SHORT, "b": LONG}, "b"),
    ],
)
def test_the_text_column_is_found(columns, chosen) -> None:
    assert OfflineAnalyst().analyse(make_request(SENTENCE, columns)).text_columns == (chosen,)


NLI = "Does the second sentence follow from the first: entailment, neutral or contradiction?"
SAME = "Are the two questions duplicates or not?"


@pytest.mark.parametrize(
    ("sentence", "columns", "stated", "kind", "chosen"),
    [
        (NLI, {"hypothesis": LONG, "premise": LONG, "genre": SHORT}, (), "text_pair", ("premise", "hypothesis")),
        (NLI, {"id": None, "one": LONG, "other": LONG}, (), "text_pair", ("one", "other")),
        (NLI, {"a": LONG, "b": LONG}, ("b", "a"), "text_pair", ("b", "a")),
        (NLI, {"text": LONG}, ("text",), "single_label", ("text",)),
        (SAME, {"question2": LONG, "asker": SHORT, "question1": LONG}, (), "text_pair", ("question1", "question2")),
        ("Good or bad advice?", {"a": LONG, "b": LONG}, ("a", "b"), "single_label", ("a", "b")),
        ("Is it a good or a bad answer?", {"q": LONG, "b": LONG, "c": LONG}, ("q", "b", "c"), "single_label", None),
        (SENTENCE, {"title": LONG, "body": LONG}, ("title", "body"), "single_label", ("title", "body")),
        (f"{SENTENCE}: how the second speaks of the first", {"a": LONG, "b": LONG}, ("a", "b"), "text_pair", None),
        ("Label it as related or unrelated", {"a": LONG, "b": LONG}, ("a", "b"), "text_pair", ("a", "b")),
        ("Note if a patient has fever or no fever", {"text": LONG}, (), "single_label", ("text",)),
    ],
)
def test_two_columns_are_a_pair_where_the_task_is_about_two_texts(sentence, columns, stated, kind, chosen) -> None:
    task = OfflineAnalyst().analyse(make_request(sentence, columns, text_columns=stated))
    assert (task.kind, task.text_columns) == (kind, chosen or stated)
    assert ("kind" in task.inferred) == (kind == "text_pair")


@pytest.mark.parametrize("columns", [{"text": LONG}, {"x": LONG, "y": LONG, "z": LONG}])
def test_where_the_two_texts_are_is_asked(columns) -> None:
    with pytest.raises(TaskUnclearError, match="which columns hold") as error:
        OfflineAnalyst().analyse(make_request(NLI, columns))
    assert "for pairs of texts both" in str(error.value)


@pytest.mark.parametrize(
    ("columns", "stated", "told"),
    [
        ({"a": LONG, "b": LONG}, (), "a (text), b (text)"),
        ({"n": None}, (), "no text column"),
        ({"text": LONG}, ("txt",), "did you mean 'text'"),
        ({"text": LONG, "n": None}, ("n",), "'n' is not text"),
    ],
)
def test_an_unclear_text_column_names_the_option_and_the_columns(columns, stated, told) -> None:
    with pytest.raises(TaskUnclearError) as error:
        OfflineAnalyst().analyse(make_request(SENTENCE, columns, text_columns=stated))
    assert told in str(error.value)
    assert "--text" in str(error.value)
    assert error.value.asks == "text"


def test_labels_that_cannot_be_told_are_asked_for() -> None:
    with pytest.raises(TaskUnclearError, match="--labels") as error:
        OfflineAnalyst().analyse(make_request("Label these tweets", {"text": LONG}))
    assert error.value.asks == "labels"


@pytest.mark.parametrize(
    "labels",
    [("positive",), ("positive", "Positive"), ("positive", " "), ("positive", "Cannot tell"), ("positive", "x" * 101)],
)
def test_labels_that_cannot_be_used_are_refused(labels: tuple[str, ...]) -> None:
    with pytest.raises(SettingsError, match="--labels"):
        OfflineAnalyst().analyse(make_request(SENTENCE, {"text": LONG}, labels=labels))


def test_a_reserved_label_in_the_sentence_is_refused() -> None:
    with pytest.raises(SettingsError, match="cannot tell"):
        OfflineAnalyst().analyse(make_request('Label each as "good" or "cannot tell"', {"text": LONG}))


def test_the_last_answers_are_values_between_commas() -> None:
    said = [("labels", "one"), ("labels", "loud, quiet,"), ("text", "b")]
    answers = tuple(
        PersonAnswer.model_validate({"asks": asks, "question": "Which?", "answer": words}) for asks, words in said
    )
    request = make_request("Sort these", {"a": LONG, "b": LONG}, answers=answers)
    task = OfflineAnalyst().analyse(request)
    assert (task.label_names, task.text_columns) == (("loud", "quiet"), ("b",))


@pytest.mark.parametrize(
    ("labels", "family"),
    [
        (("positive", "neutral", "negative"), "sentiment analysis"),
        (("offensive", "not offensive"), "offensive language and toxicity detection"),
        (("spam", "ham"), "spam detection"),
        (("joy", "anger", "fear"), "emotion recognition"),
        (("clickbait", "not clickbait"), "clickbait detection"),
        (("fake", "real"), "fake news and misinformation detection"),
        (("question", "statement"), "dialogue act classification"),
        (("soup", "salad"), "text classification"),
    ],
)
def test_the_family_follows_the_labels(labels: tuple[str, ...], family: str) -> None:
    task = OfflineAnalyst().analyse(make_request("Label each text.", {"text": LONG}, labels=labels))
    assert task.family == family


@pytest.mark.parametrize(
    ("sentence", "labels", "language", "family"),
    [
        ("label these chess openings as sicilian, french or caro-kann", (), "en", "text classification"),
        ("label recipes as italian, thai or mexican", (), "en", "text classification"),
        ("label recipes as italian, thai or greek", (), "en", "text classification"),
        ("label each recipe by its kitchen", ("italian", "thai", "greek"), "en", "text classification"),
        ("label German wine reviews as french, italian or greek", (), "de", "text classification"),
        ("label these English-language recipes as italian, thai or greek", (), "en", "text classification"),
        ("label these texts as English, German or French", (), "mul", "language identification"),
        ("sort the tweets into english, french and other", (), "mul", "language identification"),
        ("which language is this recipe in: italian or thai?", (), "mul", "language identification"),
        ("is each tweet english or not english?", (), "mul", "language identification"),
        ("label each French review as positive or negative", (), "fr", "sentiment analysis"),
    ],
)
def test_a_label_that_is_a_languages_name_says_nothing_about_the_texts_language(
    sentence: str, labels: tuple[str, ...], language: str, family: str
) -> None:
    task = OfflineAnalyst().analyse(make_request(sentence, {"text": LONG}, labels=labels))
    assert (task.language, task.family) == (language, family)


@pytest.mark.parametrize(
    ("sentence", "language"),
    [
        ("Is each nail polish review positive or negative?", "en"),
        ("Label each review of a danish or of a mandarin as positive or negative", "en"),
        ("Is each Polish review positive or negative?", "pl"),
        ("Is each polish review positive or negative?", "pl"),
        ("Label these polish product reviews as positive or negative", "pl"),
        ("The reviews are in polish: is each positive or negative?", "pl"),
        ("Sort the polish-language texts into positive and negative", "pl"),
        ("label polish reviews as positive or negative", "pl"),
        ("Is each german review positive or negative?", "de"),
        ("Label the Polish reviews of nail polish as positive or negative", "pl"),
    ],
)
def test_a_common_word_is_no_language(sentence: str, language: str) -> None:
    task = OfflineAnalyst().analyse(make_request(sentence, {"text": LONG}))
    assert task.language == language


@pytest.mark.parametrize(
    ("sentence", "kind"),
    [
        ("Label each post with all emotions that apply: anger, joy, fear", "multi_label"),
        ("tag these texts with one or more of sports, politics, science", "multi_label"),
        ("label each text with any number of these topics: sports, politics, or science", "multi_label"),
        ("multi-label: mark every topic that applies (sports, politics)", "multi_label"),
        ("Label these tweets as positive, neutral or negative", "single_label"),
        ("Label all reviews as positive or negative", "single_label"),
    ],
)
def test_a_sentence_may_let_a_text_have_several_labels(sentence: str, kind: str) -> None:
    task = OfflineAnalyst().analyse(make_request(sentence, {"text": ["Good.", "Bad."]}))
    assert task.kind == kind
    assert ("kind" in task.inferred) == (kind == "multi_label")
