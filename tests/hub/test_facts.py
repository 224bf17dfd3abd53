"""What is kept of a model's facts, whoever wrote them."""

from hub.facts import LONGEST_CARD, describe_read


def test_a_card_without_end_is_kept_by_its_beginning_and_its_end() -> None:
    item = {"id": "owner/model", "sha": "a" * 40, "pipeline_tag": "text-classification"}
    card = "This model is for film reviews. " + "a " * 500_000 + "It is not for tweets."
    kept = describe_read(item, {}, card).card
    assert len(kept) < LONGEST_CARD + 10
    assert kept.startswith("This model is for film reviews.")
    assert kept.endswith("It is not for tweets.")
    assert describe_read(item, {}, kept[:LONGEST_CARD]).card == kept[:LONGEST_CARD]
