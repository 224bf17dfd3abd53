"""The ledger: the first answer stays, whoever asks, and it is on the disk before it is used."""

import signal
import sqlite3
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing

import pytest

from records.errors import RunFolderError
from records.ledger import Ledger, hash_request


@pytest.fixture
def ledger(tmp_path):
    with closing(Ledger(tmp_path / "ledger.sqlite")) as ledger:
        yield ledger


def record(ledger: Ledger, question: str, reply: str, role: str = "reviewer") -> str:
    answer = ledger.record(
        {"question": question}, reply, role=role, model="m", prompt_hash="p", tokens_in=10, tokens_out=3
    )
    return answer.reply


def test_what_is_recorded_is_found_by_its_request(ledger):
    record(ledger, "é?", "yes")
    answer = ledger.find(hash_request({"question": "é?"}))
    assert (answer.reply, answer.request, answer.tokens_in) == ("yes", '{"question": "é?"}', 10)
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
    record(ledger, "c", "x", role="analyst")
    spending = {line.role: (line.requests, line.tokens_in, line.tokens_out) for line in ledger.spending()}
    assert spending == {"analyst": (1, 10, 3), "reviewer": (2, 20, 6)}


KILLED = """
import os, signal, sys
from pathlib import Path
from records.ledger import Ledger
ledger = Ledger(Path(sys.argv[1]))
ledger.record({"q": 1}, "paid", role="reviewer", model="m", prompt_hash="p", tokens_in=1, tokens_out=1)
os.kill(os.getpid(), signal.SIGKILL)
"""


def test_an_answer_that_was_returned_survives_a_kill(tmp_path):
    path = tmp_path / "ledger.sqlite"
    ended = subprocess.run([sys.executable, "-c", KILLED, str(path)], check=False)
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
