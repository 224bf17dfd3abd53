"""What a budget pays for in an audit under a target: it is known beforehand what is out of reach."""

from pathlib import Path
from typing import Any

from graphs.audit_course import reckon_means
from graphs.audit_files import AuditMeans, find_last_audit
from graphs.state import Short
from records.folder import read_record
from tests.audited_run import audited_run, make_texts

OPTIONS: dict[str, Any] = {
    "wrong": 0.25, "reviewed": range(0, 1000, 10), "llm": "openai:scripted", "llm_price": (1.0, 2.0),
}  # fmt: skip


def test_a_target_that_the_money_does_not_reach_is_given_up_before_it_is_spent(
    tmp_path: Path, monkeypatch: Any
) -> None:
    monkeypatch.setenv("OPENAI_BASE_URL", "http://127.0.0.1:1/v1")
    with audited_run(tmp_path / "rich", make_texts(1000), budget=100.0, **OPTIONS) as run:
        rich, needed = run.certify(0.1), len(run.expert.asked)
        assert rich.status == "certified"
    with audited_run(tmp_path / "free", make_texts(1000), **OPTIONS) as run:
        assert run.certify(0.1) == rich, "money that is not short changes nothing"
        run.state["short"] = Short(stage=0, budget=1.0, pool=0, pool_from=0, unlabelled=0, versions={})
        assert not run.certify(0.1).budget_reached, "a certified target is not taken up again"
    with audited_run(tmp_path / "poor", make_texts(1000), budget=0.02, **OPTIONS) as run:
        told = run.certify(0.1)
        last = find_last_audit(run.folder)
        assert last is not None
        means = read_record(last.means, AuditMeans)
        assert 0 < means.reviews < needed
        assert (told.status, told.budget_reached) == ("not certified", True)
        assert told.reason.startswith("What it would still take is more than the budget pays for: ")
        assert len(run.expert.asked) <= means.reviews
        asked = len(run.expert.asked)
        assert run.certify(0.1) == told, "gone through again it comes to the same"
        assert len(run.expert.asked) == asked
        run.context.ledger.open_charge("reviewer", None, "scripted", 0.001)
        assert reckon_means(run.context, last, asked) == means, "what is spent meanwhile changes nothing"
        assert run.certify(0.1, budget=100.0) == rich
