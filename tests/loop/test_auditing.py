"""The audit of a run: what it draws, asks and states, whatever stops it on the way."""

from collections import Counter
from pathlib import Path

import numpy as np
import pytest

from records.events import AuditLooked
from specialists.bounds import bound_total
from specialists.certificate import share_error
from tests.audited_run import (
    LABELS,
    AuditedRun,
    Expert,
    StoppedError,
    answer,
    audited_run,
    hash_share,
    make_texts,
)


def count_differing(run: AuditedRun) -> int:
    """Return how many labels truly differ from what the expert would say, or would be without its answer."""
    return sum(row["label"] != run.expert.said(row["text"]) for row in run.read_labels() if row["text"].strip())


def test_without_a_target_a_sample_of_a_fixed_size_gives_the_exact_bound(tmp_path: Path) -> None:
    with audited_run(tmp_path, make_texts(1000), reviewed=range(0, 100)) as run:
        told = run.certify()
        design, drawn = run.design, run.population.row[run.population.order[:50]]
        assert (told.status, told.audited, told.rows, told.reviewed) == ("bound", 50, 1000, 150)
        assert len(run.expert.requests) == 1, "it is drawn at once"
        assert run.expert.asked == [make_texts(1000)[row] for row in drawn.tolist()]
        assert not set(drawn.tolist()) & set(range(100)), "no row that was reviewed before is drawn"
        assert design.error == share_error(0.95, 0)
        upper = int(bound_total(np.array(told.differing), np.array(50), np.array(900), design.error))
        assert told.bound == (upper - told.differing) / 1000, "the drawn rows took the expert's answer"
        assert told.differing > 0
        assert told.clopper_pearson is not None
        assert told.clopper_pearson >= told.bound >= count_differing(run) / 1000
        assert run.claims == [(1, "audit")]


def test_an_audited_row_is_in_the_labels_as_a_reviewed_one(tmp_path: Path) -> None:
    with audited_run(tmp_path, make_texts(1000), wrong=0.3) as run:
        run.certify()
        drawn = set(run.population.row[run.population.order[:50]].tolist())
        rows = run.read_labels()
        for number, row in enumerate(rows):
            assert (row["source"] == "llm") == (number in drawn)
            assert row["review_label"] == (answer(row["text"]) if number in drawn else None)


def test_a_target_is_certified_by_widening_and_holds(tmp_path: Path) -> None:
    with audited_run(tmp_path, make_texts(1000), wrong=0.25, reviewed=range(0, 1000, 10)) as run:
        told = run.certify(0.1)
        assert told.status == "certified"
        assert told.widened > 0
        assert told.bound == 0.1, "the target is stated, not the smallest bound seen"
        assert count_differing(run) <= 100
        assert sum(row["label"] != row["text"].split()[0] for row in run.read_labels()) <= 100
        widened, labels = run.population.row[: told.widened], run.read_labels()
        assert all(labels[row]["source"] == "llm" for row in widened.tolist())
        assert max(Counter(run.expert.asked).values()) == 1, "nothing is asked twice"


def test_audit_requests_depend_on_the_order_of_draws_alone(tmp_path: Path) -> None:
    """Two experts who differ on every row are asked the same, as far as both audits go."""
    texts, asked = make_texts(1000), []
    for name, said in (("right", answer), ("contrary", lambda text: LABELS[1 - LABELS.index(answer(text))])):
        with audited_run(tmp_path / name, texts, wrong=0.2, expert=Expert(said)) as run:
            run.certify(0.3)
            looks = [request for request in run.expert.requests if len(request) == 25]
            asked.append(looks)
    both = min(map(len, asked))
    assert both >= 2
    assert asked[0][:both] == asked[1][:both]


@pytest.mark.parametrize("dies", [0, 1, 4])
def test_an_audit_that_was_killed_goes_on_with_the_same_draws(dies: int, tmp_path: Path) -> None:
    texts, options = make_texts(1000), {"wrong": 0.25, "reviewed": range(0, 1000, 10)}
    with audited_run(tmp_path / "whole", texts, **options) as run:
        whole, labels, asked = run.certify(0.1), run.read_labels(), run.expert.asked
    with audited_run(tmp_path / "killed", texts, expert=Expert(dies=dies), **options) as run:
        with pytest.raises(StoppedError):
            run.certify(0.1)
        before = list(run.expert.asked)
        run.expert.dies = None
        assert run.certify(0.1) == whole
        assert run.read_labels() == labels
        assert run.expert.asked == asked, "nothing is asked twice, and nothing else"
        assert before == asked[: len(before)]
        assert run.claims == [(1, "audit")]
    files = [Path("audit/01") / name for name in ("plan.json", "record.json", "end.json", "order.parquet")]
    assert all((tmp_path / "whole" / one).read_bytes() == (tmp_path / "killed" / one).read_bytes() for one in files)


def test_a_target_is_not_certifiable_against_a_reviewer_that_is_often_silent(tmp_path: Path) -> None:
    expert = Expert(lambda text: None if hash_share(text, "silent") < 0.3 else answer(text))
    with audited_run(tmp_path, make_texts(1000), expert=expert) as run:
        told = run.certify(0.1)
        assert told.status == "not certifiable"
        assert told.bound is None
        assert "without an answer" in told.reason
        assert told.statement == "The target of 10 % cannot be certified against the language model offline."
        assert len(run.expert.asked) < 400, "it is given up before all rows are paid for"


def test_what_is_known_to_differ_may_rule_the_target_out_before_any_draw(tmp_path: Path) -> None:
    expert = Expert(lambda text: None if text.endswith("7") else answer(text))
    with audited_run(tmp_path, make_texts(300), reviewed=range(0, 300), expert=expert) as run:
        told = run.certify(0.05)
        assert (told.status, told.audited) == ("not certifiable", 0)
        assert "30 reviewed rows" in told.reason
    with audited_run(tmp_path / "fewer", make_texts(300), reviewed=range(0, 300), expert=expert) as run:
        assert run.certify(0.1).status == "certified", "30 of 300 may differ, and all rows are known"


def test_a_silent_row_of_the_sample_counts_as_different(tmp_path: Path) -> None:
    with audited_run(tmp_path, make_texts(1000), wrong=0.0, expert=Expert(lambda text: None)) as run:
        told = run.certify()
        assert (told.audited, told.differing, told.unanswered) == (50, 0, 50)
        assert told.bound == 1.0
        assert all(row["review_failed"] == (row["reason"] is not None) for row in run.read_labels())


def test_money_that_ends_an_audit_leaves_a_bound_and_more_of_it_goes_on(tmp_path: Path) -> None:
    texts, options = make_texts(1000), {"wrong": 0.25, "reviewed": range(0, 1000, 10)}
    with audited_run(tmp_path / "whole", texts, **options) as run:
        whole, labels, asked = run.certify(0.1), run.read_labels(), run.expert.asked
    with audited_run(tmp_path / "poor", texts, expert=Expert(money=110), **options) as run:
        told = run.certify(0.1)
        assert (told.status, told.budget_reached, told.audited) == ("not certified", True, 100)
        assert told.reason.startswith("The budget was spent")
        assert told.bound is not None
        assert count_differing(run) / 1000 <= told.bound < 1.0
        assert run.claims == [(1, "audit"), (1, "bound")]
        run.expert.money = None
        assert run.certify(0.1) == whole
        assert run.read_labels() == labels
        assert sorted(run.expert.requests and set(run.expert.asked)) == sorted(asked)
        assert run.claims == [(1, "audit"), (1, "bound")], "the same target goes on with the same audit"


def test_money_that_ends_a_sample_counts_what_is_missing_as_different(tmp_path: Path) -> None:
    with audited_run(tmp_path, make_texts(1000), wrong=0.0, expert=Expert(money=30)) as run:
        poor = run.certify()
        assert (poor.status, poor.audited, poor.unanswered, poor.budget_reached) == ("bound", 50, 20, True)
        run.expert.money = None
        rich = run.certify()
        assert (rich.unanswered, rich.budget_reached) == (0, False)
        assert rich.bound is not None
        assert poor.bound is not None
        assert rich.bound < poor.bound


def test_a_changed_target_takes_a_fresh_audit_and_its_own_share(tmp_path: Path) -> None:
    with audited_run(tmp_path, make_texts(1000), wrong=0.2, reviewed=range(0, 1000, 10)) as run:
        assert run.certify().status == "bound"
        sample = set(run.expert.asked)
        assert run.certify(0.12).status == "certified"
        assert run.design.error == share_error(0.95, 1)
        assert not {make_texts(1000)[row] for row in run.population.row.tolist()} & sample, "what is known is known"
        told, reviewed = run.certify(0.05), len(run.expert.asked)
        assert told.status == "certified"
        assert run.design.error == share_error(0.95, 2)
        assert count_differing(run) <= 50
        assert run.claims == [(1, "audit"), (2, "audit"), (3, "audit")]
        assert run.certify(0.05) == told
        assert len(run.expert.asked) == reviewed, "the same target again asks nothing"


def test_copies_to_the_byte_are_reviewed_once_and_other_copies_stay_in_the_population(tmp_path: Path) -> None:
    texts = make_texts(400)
    texts[200:300] = texts[:100]  # to the byte, in the second stage
    texts[300:400] = [text.upper() for text in texts[:100]]  # but for case
    with audited_run(tmp_path, texts, wrong=0.3, reviewed=range(0, 50)) as run:
        told = run.certify(0.08)
        assert told.status == "certified"
        population = set(run.population.row.tolist())
        assert not population & {*range(0, 50), *range(200, 250)}, "the same to the byte counts as reviewed"
        assert {*range(300, 400)} <= population
        assert max(Counter(run.expert.asked).values()) == 1
        rows = run.read_labels()
        assert all(rows[n]["copied_from"] == f"r{n - 200}" for n in range(200, 250))
        seen = {text: row["label"] for row, text in zip(rows, texts, strict=True) if row["source"] == "llm"}
        assert all(row["label"] == seen[text] for row, text in zip(rows, texts, strict=True) if text in seen)
        assert count_differing(run) <= 32


def test_a_text_that_a_later_stage_reviewed_counts_in_the_earlier_one_too(tmp_path: Path) -> None:
    texts = make_texts(100)
    texts[60] = texts[10]
    texts[61] = texts[11].upper()
    with audited_run(tmp_path, texts, wrong=0.0, reviewed=(60, 61)) as run:
        run.certify(0.5)
        assert 10 not in run.population.row
        assert 11 in run.population.row
        assert run.read_labels()[10]["copied_from"] == "r60"


def test_rows_without_a_text_are_no_part_of_it(tmp_path: Path) -> None:
    texts = make_texts(200)
    texts[5] = texts[150] = "  "
    with audited_run(tmp_path, texts, wrong=0.0) as run:
        told = run.certify()
        assert (told.rows, run.design.unreviewed) == (198, 198)
        assert not {5, 150} & set(run.population.row.tolist())


def test_without_an_expert_there_is_no_certificate(tmp_path: Path) -> None:
    with audited_run(tmp_path, make_texts(100), expert=Expert(source="offline")) as run:
        told = run.certify(0.1)
        assert (told.status, told.target, told.bound) == ("none", 0.1, None)
        assert "No expert was asked" in told.reason
        assert run.expert.asked == []


def test_every_look_is_told(tmp_path: Path) -> None:
    with audited_run(tmp_path, make_texts(1000), wrong=0.25) as run:
        told = run.certify(0.1)
        looks = [event for event in run.events if isinstance(event, AuditLooked)]
        assert [one.drawn for one in looks] == sorted(one.drawn for one in looks)
        assert (looks[-1].drawn, looks[-1].differing, looks[-1].widened) == (told.audited, told.differing, told.widened)
