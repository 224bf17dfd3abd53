"""How sure a model was of each label, from the log-probabilities of the tokens that it wrote the label with."""

import json
import math
import re
from collections.abc import Collection, Sequence
from itertools import accumulate

from agents.asking import TokenLogprob
from agents.replies import strip_thinking

_STRING = r'"(?:[^"\\]|\\.)*"'
_FLAT_OBJECT = re.compile(rf'\{{(?:[^{{}}"]|{_STRING})*\}}', re.DOTALL)
_FIELD = re.compile(
    rf'(?P<key>{_STRING})\s*:\s*(?P<value>{_STRING}|\[(?:[^\[\]"]|{_STRING})*\]|[^\s,}}\]]+)', re.DOTALL
)
LABEL_KEYS = frozenset({"label", "labels"})


def measure_sureness(
    raw: str, tokens: Sequence[TokenLogprob], ids: Collection[str], keys: Collection[str] = LABEL_KEYS
) -> dict[str, float]:
    """Return id → the probability, from 0 to 1, that the model gave to the label it wrote in the answer of that id.

    The label is the value of the one field that has a name in `keys`.

    It is exp(Σ log p) over the tokens that hold a character of the label (of the whole list, brackets included, where
    `labels` is one), given all that was written before. `raw` is the reply as it came: think blocks, fences and prose
    may stand around the answers. Ids are left out whose answer cannot be told: all of them where the tokens do not
    join to the text, and those that stand in none or several of the objects. A label that begins another one counts
    without its closing quotation mark, and so a little too high.
    """
    joined = "".join(token.text for token in tokens)
    offset = joined.find(raw) if raw else -1
    if offset < 0:
        return {}
    ends = list(accumulate(len(token.text) for token in tokens))
    measured: dict[str, float] = {}
    for key, (start, end) in _find_labels(raw, ids, keys).items():
        spans = zip([0, *ends], ends, tokens, strict=False)
        held = [one.logprob for first, last, one in spans if first < offset + end and last > offset + start]
        measured[key] = min(1.0, math.exp(sum(held)))
    return measured


def _find_labels(raw: str, ids: Collection[str], keys: Collection[str]) -> dict[str, tuple[int, int]]:
    """Return id → where its label stands in `raw`, without quotation marks, as (start, end)."""
    reply = strip_thinking(raw)
    begin = raw.rfind(reply) if reply else -1
    places: dict[str, list[tuple[int, int]]] = {}
    for found in _FLAT_OBJECT.finditer(raw, max(begin, 0)) if begin >= 0 else ():
        fields = [(json.loads(field["key"]), field) for field in _FIELD.finditer(raw, *found.span())]
        named = [_read_string(field["value"]).strip() for name, field in fields if name == "id"]
        labels = [_span_of_value(field) for name, field in fields if name in keys]
        if len(named) == 1 and len(labels) == 1:
            places.setdefault(named[0], []).append(labels[0])
    return {key: places[key][0] for key in ids if len(places.get(key, ())) == 1}


def _span_of_value(field: re.Match[str]) -> tuple[int, int]:
    start, end = field.span("value")
    return (start + 1, end - 1) if field["value"].startswith('"') else (start, end)


def _read_string(value: str) -> str:
    return json.loads(value) if value.startswith('"') else value
