"""From the log-probabilities of a reply's tokens to how sure the model was of each label."""

import itertools
import json
import math
import random
import re

import pytest

from agents.asking import TokenLogprob
from agents.sureness import measure_sureness


def tokenise(text: str, *label_parts: str) -> list[TokenLogprob]:
    """Cut a text into the given parts, wherever they stand, and single characters; a part has a probability of 1/2."""
    pattern = "|".join(map(re.escape, sorted(label_parts, key=len, reverse=True)))
    cut = re.findall(f"{pattern}|." if pattern else ".", text, re.DOTALL)
    return [TokenLogprob(text=one, logprob=math.log(0.5) if one in label_parts else 0.0) for one in cut]


REPLY = json.dumps({"answers": [{"id": "k3f9qa", "label": "Positive", "sure": 0.9}, {"id": "m2", "label": "No"}]})
IDS = ("k3f9qa", "m2")


@pytest.mark.parametrize(
    ("parts", "sureness"),
    [
        (["Positive"], 0.5),
        (["Pos", "iti", "ve"], 0.125),
        (['"Positive"'], 0.5),
        ([': "Pos', 'itive", "sure'], 0.25),
        (['"label"', '"sure"', "0.9", '": "', "k3f9qa"], 1.0),
    ],
)
def test_the_tokens_of_a_label_say_how_sure_it_is(parts: list[str], sureness: float) -> None:
    measured = measure_sureness(REPLY, tokenise(REPLY, *parts), IDS)
    assert measured == pytest.approx({"k3f9qa": sureness, "m2": 1.0})


def test_every_answer_has_its_own_tokens_whatever_their_order() -> None:
    for answers in (IDS, IDS[::-1]):
        labels = {"k3f9qa": "Positive", "m2": "No"}
        text = json.dumps({"answers": [{"sure": 1, "label": labels[key], "id": key} for key in answers]}, indent=1)
        assert measure_sureness(text, tokenise(text, "No"), IDS) == pytest.approx({"k3f9qa": 1.0, "m2": 0.5})


@pytest.mark.parametrize(
    "around",
    [
        "```json\n{}\n```",
        "Here it is: {} I hope that it helps.",
        '<think>{{"id": "k3f9qa", "label": "Negative"}}, or rather</think>\n{}',
        "\n\n{}\n",
        '<think>"</think>```\n{}\n```',
    ],
)
def test_what_stands_around_the_answers_does_not_matter(around: str) -> None:
    text = around.replace("{}", REPLY).replace("{{", "{").replace("}}", "}") if "{{" in around else around.format(REPLY)
    assert measure_sureness(text, tokenise(text, "Positive"), IDS)["k3f9qa"] == 0.5


def test_tokens_that_the_endpoint_cut_from_the_text_may_stand_around_it() -> None:
    """Some servers cut the thinking and the end mark from the reply, and leave their tokens."""
    tokens = [*tokenise("<think>Positive", "Positive"), *tokenise(REPLY, "Positive"), *tokenise("<|end|>")]
    assert measure_sureness(REPLY, tokens, IDS)["k3f9qa"] == 0.5


def test_a_thought_that_quotes_an_answer_is_none() -> None:
    thought = 'It says {"id": "m2", "label": "Negative"} itself, and "label": "Positive".'
    text = json.dumps(
        {"answers": [{"id": "k3f9qa", "thought": thought, "label": "Yes, so"}, {"id": "m2", "label": "No"}]}
    )
    measured = measure_sureness(text, tokenise(text, "Yes, so", "Positive", "Negative"), IDS)
    assert measured == pytest.approx({"k3f9qa": 0.5, "m2": 1.0})


def test_a_list_of_labels_counts_whole() -> None:
    text = '{"answers": [{"id": "k3f9qa", "labels": ["a", "b"], "sure": 1}, {"id": "m2", "labels": []}]}'
    measured = measure_sureness(text, tokenise(text, "a", "b", '"]', "[]"), IDS)
    assert measured["m2"] == 0.5
    assert measured["k3f9qa"] == pytest.approx(0.125)


def test_escaped_text_is_found() -> None:
    text = r'{"answers": [{"id": "k3f9qa", "label": "caf\u00e9 \"x\"", "sure": 1}]}'
    assert measure_sureness(text, tokenise(text, r"\u00e9", r"\"x"), ["k3f9qa"]) == pytest.approx({"k3f9qa": 0.25})


@pytest.mark.parametrize(
    ("raw", "tokens"),
    [
        (REPLY, []),
        (REPLY, tokenise(REPLY)[1:]),
        (REPLY, tokenise(REPLY.replace("No", "Yes"))),
        ("", tokenise(REPLY)),
        ("<think>" + REPLY, tokenise("<think>" + REPLY)),
        (f"{REPLY}\n{REPLY}", tokenise(f"{REPLY}\n{REPLY}")),
        ("I will not.", tokenise("I will not.")),
    ],
    ids=["none", "cut", "other", "empty", "only thought", "said twice", "prose"],
)
def test_what_cannot_be_told_is_left_out(raw: str, tokens: list[TokenLogprob]) -> None:
    assert measure_sureness(raw, tokens, IDS) == {}


def test_an_answer_with_two_labels_or_of_an_unknown_id_is_left_out() -> None:
    text = '{"answers": [{"id": "k3f9qa", "label": "a", "label": "b"}, {"id": "zz", "label": "a"}]}'
    assert measure_sureness(text, tokenise(text), IDS) == {}


def test_any_cut_gives_the_product_over_the_tokens_that_hold_a_character_of_the_label() -> None:
    rng = random.Random(3)
    start = REPLY.index("Positive")
    for _ in range(200):
        cuts = sorted({0, len(REPLY), *rng.sample(range(len(REPLY)), 20)})
        spans = list(itertools.pairwise(cuts))
        tokens = [TokenLogprob(text=REPLY[a:b], logprob=math.log(rng.uniform(0.1, 1))) for a, b in spans]
        held = [
            t.logprob
            for (a, b), t in zip(spans, tokens, strict=True)
            if set(range(a, b)) & set(range(start, start + 8))
        ]
        assert measure_sureness(REPLY, tokens, IDS)["k3f9qa"] == pytest.approx(math.exp(sum(held)))


def test_another_field_may_hold_what_was_decided() -> None:
    text = '{"choices": [{"id": 1, "use": "yes", "label": "No"}, {"id": 2, "use": "no", "label": "No"}]}'
    assert measure_sureness(text, tokenise(text, "yes", "No"), ["1", "2"], {"use"}) == pytest.approx(
        {"1": 0.5, "2": 1.0}
    )
