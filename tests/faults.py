"""Faults of language models and of their endpoints, to be put into a script: `FaultyScript(script, FAULTS, share=0.3)`.

A fault makes of a good answer a bad one. Some end in the transport, some in the text, some in the rows of a review.
"""

import json
import threading
from collections import Counter
from collections.abc import Callable, Sequence
from random import Random
from typing import Any

from tests.llm_server import Answer, Broken, Refusal, Said, Script

Fault = Callable[[str], Answer]
"""From a good text to a bad answer."""


def too_many(good: str) -> Answer:
    return Refusal(429, headers={"Retry-After": "0.05"})


def server_error(good: str) -> Answer:
    return Refusal(500, headers={"retry-after-ms": "20"})


def hang(good: str) -> Answer:
    return Refusal(500, delay=4.0)


def reset(good: str) -> Answer:
    return Broken()


def cut_body(good: str) -> Answer:
    return Broken(sends='{"id": "chatcmpl-1", "choices": [')


def half_json(good: str) -> Answer:
    return Refusal(200, body='{"id": "chatcmpl-1", "choices": [')


def cut_text(good: str) -> Answer:
    return Said(good[: len(good) // 2], finish="length")


def stopped_text(good: str) -> Answer:
    return Said(good[: len(good) // 2])


def fence(good: str) -> Answer:
    return good if "```" in good else f"```json\n{good}\n```"


def prose(good: str) -> Answer:
    return f"Sure, I {{gladly}} help. Here it is:\n\n{good}\n\nIs there anything else?"


def think(good: str) -> Answer:
    return f'<think>\nMaybe {{"answers": [{{"id": "none", "label": "positive"}}]}}? No.\n</think>\n{good}'


def refuse(good: str) -> Answer:
    return Said(None, refusal="I cannot help with that.")


def say_nothing(good: str) -> Answer:
    return ""


def wrong_label(good: str) -> Answer:
    return _change_rows(good, lambda rows: [{**rows[0], "label": "splendid"}, *rows[1:]])


def missing_row(good: str) -> Answer:
    return _change_rows(good, lambda rows: rows[1:])


def extra_row(good: str) -> Answer:
    return _change_rows(good, lambda rows: [*rows, {**rows[0], "id": "never-asked"}])


def duplicated_row(good: str) -> Answer:
    return _change_rows(good, lambda rows: [{**rows[0], "label": rows[-1]["label"]}, *rows])


def other_order(good: str) -> Answer:
    return _change_rows(good, lambda rows: rows[::-1])


def _change_rows(good: str, change: Callable[[list[dict[str, Any]]], list[dict[str, Any]]]) -> str:
    """Return the reviewer's reply with other rows; the reply of any other role stays."""
    if not good.startswith('{"answers"'):
        return good
    reply = json.loads(good)
    return json.dumps({**reply, "answers": change(reply["answers"])})


TRANSPORT: tuple[Fault, ...] = (too_many, server_error, hang, reset, cut_body, half_json)
FORMAT: tuple[Fault, ...] = (fence, prose, think)
NO_ANSWER: tuple[Fault, ...] = (cut_text, stopped_text, refuse, say_nothing)
ROWS: tuple[Fault, ...] = (wrong_label, missing_row, extra_row, duplicated_row, other_order)
FAULTS = (*TRANSPORT, *FORMAT, *NO_ANSWER, *ROWS)


class FaultyScript:
    """A script with faults in it: `share` of the requests, drawn by their number, get one fault after another.

    `counts` says how often each fault was put in.
    """

    def __init__(self, script: Script, faults: Sequence[Fault], *, share: float, seed: int = 0) -> None:
        self._script = script
        self._faults = faults
        self._share = share
        self._random = Random(seed)
        self._lock = threading.Lock()
        self.counts: Counter[str] = Counter()

    def __call__(self, request: dict[str, Any]) -> Answer:
        good = self._script(request)
        with self._lock:
            faulty = self._random.random() < self._share
            fault = self._faults[self.counts.total() % len(self._faults)]
            if not (faulty and isinstance(good, str)):
                return good
            self.counts[fault.__name__] += 1
        return fault(good)
