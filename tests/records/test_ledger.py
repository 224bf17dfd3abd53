"""The ledger: the first answer stays, whoever asks, and it is on the disk before it is used."""

import signal
import sqlite3
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from typing import Any

import pytest

from records.errors import RunFolderError
from records.ledger import Capabilities, Exchange, Ledger, hash_request


@pytest.fixture
def ledger(tmp_path):
    with closing(Ledger(tmp_path / "ledger.sqlite")) as ledger:
        yield ledger


def make_exchange(reply: str, **facts: Any) -> Exchange:
    known: dict[str, Any] = {
        "role": "reviewer", "model": "m", "endpoint": "http://localhost:1/v1", "prompt_hash": "p",
        "sampling": '{"temperature": 0}', "finish": "stop", "logprobs": None, "tokens_in": 10, "tokens_out": 3,
        "usd": 0.5, "latency": 0.1, "attempt": 1,
    }  # fmt: skip
    return Exchange(reply=reply, **{**known, **facts})


def record(ledger: Ledger, question: str, reply: str, **facts: Any) -> str:
    return ledger.record({"question": question}, make_exchange(reply, **facts)).reply


def test_what_is_recorded_is_found_by_its_request(ledger):
    exchange = make_exchange("yes", logprobs='[["yes", -0.1]]', latency=2.5, attempt=3)
    ledger.record({"question": "é?"}, exchange)
    answer = ledger.find(hash_request({"question": "é?"}))
    assert answer is not None
    assert answer.request == '{"question": "é?"}'
    assert Exchange(**answer.model_dump(include=set(Exchange.model_fields))) == exchange
    assert ledger.find(hash_request({"question": "e?"})) is None


def test_the_hash_of_a_request_does_not_depend_on_the_order_of_its_keys():
    assert hash_request({"a": 1, "b": [2]}) == hash_request({"b": [2], "a": 1})
    assert hash_request({"a": 1}) != hash_request({"a": "1"})


def test_the_first_answer_stays_and_is_what_a_second_recording_returns(ledger):
    assert record(ledger, "q", "first") == "first"
    assert record(ledger, "q", "second") == "first"
    assert ledger.find(hash_request({"question": "q"})).reply == "first"


def test_threads_that_answer_the_same_requests_agree_on_one_answer_each(ledger):
    with ThreadPoolExecutor(8) as pool:
        replies = list(pool.map(lambda n: (n % 20, record(ledger, f"q{n % 20}", f"reply {n}")), range(400)))
    assert len(set(replies)) == 20
    assert ledger.spending()[0].requests == 20


def test_spending_is_summed_by_role_and_model(ledger):
    record(ledger, "a", "x")
    record(ledger, "b", "x")
    record(ledger, "c", "x", role="analyst", usd=0.0)
    spending = {line.role: (line.requests, line.tokens_in, line.tokens_out, line.usd) for line in ledger.spending()}
    assert spending == {"analyst": (1, 10, 3, 0.0), "reviewer": (2, 20, 6, 1.0)}


def test_what_is_not_known_of_one_answer_is_not_known_of_the_sum(ledger):
    record(ledger, "a", "x")
    record(ledger, "b", "x", tokens_in=None, tokens_out=None, usd=None)
    record(ledger, "c", "x", role="analyst", usd=None)
    spending = {line.role: (line.tokens_in, line.tokens_out, line.usd) for line in ledger.spending()}
    assert spending == {"analyst": (10, 3, None), "reviewer": (None, None, None)}


def test_spending_is_by_stage_too(ledger):
    record(ledger, "a", "x")
    record(ledger, "b", "x", stage=0)
    record(ledger, "c", "x", stage=1)
    record(ledger, "d", "x", stage=1)
    assert [(line.stage, line.requests, line.usd) for line in ledger.spending()] == [
        (None, 1, 0.5),
        (0, 1, 0.5),
        (1, 2, 1.0),
    ]


def test_the_price_of_an_answer_takes_the_place_of_its_charge(ledger):
    charge = ledger.open_charge("reviewer", 2, "m", 0.9)
    assert ledger.sum_spent() == 0.9
    ledger.record({"question": "a"}, make_exchange("x", stage=2), charge)
    assert ledger.sum_spent() == 0.5
    (line,) = ledger.spending()
    assert (line.requests, line.unanswered, line.reserved_usd) == (1, 0, 0.0)


def test_a_charge_stays_where_the_price_is_not_known_and_where_another_answer_was_first(ledger):
    uncounted, second, struck = (ledger.open_charge("reviewer", None, "m", usd) for usd in (0.9, 0.8, 0.7))
    ledger.record({"question": "a"}, make_exchange("x", usd=None), uncounted)
    record(ledger, "b", "x")
    ledger.record({"question": "b"}, make_exchange("y", usd=0.25), second)
    ledger.strike_charge(struck)
    assert ledger.sum_spent() == pytest.approx(0.9 + 0.5 + 0.25)
    (line,) = ledger.spending()
    assert (line.requests, line.usd, line.unanswered) == (2, None, 0)
    assert line.reserved_usd == pytest.approx(0.9 + 0.25)
    assert ledger.count_unpriced() == 0
    record(ledger, "c", "x", usd=None)
    assert ledger.count_unpriced() == 1


def test_answers_of_a_role_come_in_their_order(ledger):
    for number in range(5):
        record(ledger, f"q{number}", f"r{number}", role="reviewer" if number % 2 else "analyst")
    assert [answer.reply for answer in ledger.read_answers("reviewer")] == ["r1", "r3"]


def test_what_an_endpoint_takes_is_remembered_by_its_model(ledger, tmp_path):
    taken = Capabilities(format="json_object", temperature=False)
    ledger.record_capabilities("http://a/v1", "m", Capabilities())
    ledger.record_capabilities("http://a/v1", "m", taken)
    with closing(Ledger(tmp_path / "ledger.sqlite")) as again:
        assert again.find_capabilities("http://a/v1", "m") == taken
        assert again.find_capabilities("http://a/v1", "n") is None
        assert again.find_capabilities("http://b/v1", "m") is None


def test_the_ledger_of_another_version_is_refused(tmp_path):
    with closing(sqlite3.connect(tmp_path / "ledger.sqlite")) as old, old:
        old.execute("CREATE TABLE answers (request_hash TEXT PRIMARY KEY, reply TEXT)")
    with pytest.raises(RunFolderError, match=r"another version.*latency"):
        Ledger(tmp_path / "ledger.sqlite")


KILLED = """
import os, signal, sys
from pathlib import Path
from records.ledger import Exchange, Ledger
ledger = Ledger(Path(sys.argv[1]))
ledger.record({"q": 1}, Exchange.model_validate_json(sys.argv[2]))
os.kill(os.getpid(), signal.SIGKILL)
"""


def test_an_answer_that_was_returned_survives_a_kill(tmp_path):
    path = tmp_path / "ledger.sqlite"
    ended = subprocess.run(
        [sys.executable, "-c", KILLED, str(path), make_exchange("paid").model_dump_json()], check=False
    )
    assert ended.returncode == -signal.SIGKILL
    with closing(Ledger(path)) as ledger:
        assert ledger.find(hash_request({"q": 1})).reply == "paid"


def test_another_process_sees_an_answer_as_soon_as_it_is_returned(ledger, tmp_path):
    record(ledger, "q", "yes")
    with closing(sqlite3.connect(tmp_path / "ledger.sqlite")) as other:
        assert other.execute("SELECT reply FROM answers").fetchall() == [("yes",)]


def test_a_file_that_is_no_ledger_is_refused(tmp_path):
    path = tmp_path / "ledger.sqlite"
    path.write_text("this is no database, and long enough to be looked at as one")
    with pytest.raises(RunFolderError, match="cannot be used as a ledger"):
        Ledger(path)
