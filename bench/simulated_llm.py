"""A simulated language model: it reviews a stream's texts as a simulated reviewer does, and plays the other roles well.

    python -m bench.simulated_llm --reviewer 0.85 --write-data rows.csv --write-gold gold.csv
    OPENAI_BASE_URL=(the URL that it prints) autoannotator run "…" --data rows.csv --llm openai:simulated --hub starter

The reviewer's answers are those of `reviewers.answer_rows`, and nothing else decides one. Beside reviewing it does what
a whole run needs, by rule: the analyst names the stream's labels, the crawler searches for the stream's ensemble by
name, the selector says yes to that ensemble and to no other model (the project's own rules may still drop one of it),
the coder maps classes as `streams.map_classes` does, the critics find no fault, and the test writer gives a few odd
rows. To anything else it answers with an error.
"""

import argparse
import csv
import json
import re
import sys
import threading
from collections.abc import Callable, Iterable, Sequence
from pathlib import Path
from typing import Any

from agents.prompting import shorten
from agents.review_prompts import LONGEST_TEXT
from autoannotator.command_line import INTERRUPTED, answer
from autoannotator.commands import Outcome
from bench.chat_server import HOST, CannotAnswerError, ChatServer, Messages
from bench.reviewers import REVIEWERS, Reviewer, answer_rows
from bench.streams import SAMPLES, STREAMS, Stream, map_classes, read_stream
from hub.starter.recipes import OWNER
from hub.starter.split import normalise_text
from records.errors import PersonError
from records.folder import written_whole
from records.task import LabelSpec, TaskSpec

MODEL = "simulated"
ALWAYS_SURE = 0.9
"""What a reviewer that does not say how sure it is states of every row, as the prompt asks for a figure. It tells
nothing."""

_ROLE = re.compile(r"You are the (\w+) of an annotation team")
_THOUGHT = "Simulated: what the text says speaks for this label more than for any other."
_REASON = "simulated"
_ODD_TEXTS = ("", "@you", "🙂", "é")


class SimulatedLLM:
    """Replies to the project's prompts about one stream. Safe to share between threads."""

    def __init__(self, stream: Stream, reviewer: Reviewer, seed: int) -> None:
        self._stream = stream
        said = answer_rows(reviewer, stream, seed)
        sure = [round(float(one), 2) if reviewer.sure else ALWAYS_SURE for one in said.sureness]
        labels = [stream.labels[label] for label in said.label]
        self._answers = dict(zip(map(_key_of_text, stream.texts), zip(labels, sure, strict=True), strict=True))
        self._roles: dict[str, Callable[[str], str]] = {
            "reviewer": self._review,
            "analyst": self._analyse,
            "crawler": self._crawl,
            "selector": self._select,
            "coder": self._map_classes,
            "test_writer": _write_cases,
            "critic": lambda request: json.dumps({"approved": True, "reasons": []}),
            "result_critic": lambda request: json.dumps(
                {"action": "go_on", "evidence": ["stage.unanimous"], "reason": _REASON}
            ),
        }

    def reply(self, messages: Messages) -> str:
        """Return what is said to a role's prompt. Raises CannotAnswerError for a text that the stream does not hold,
        a model that is not in the starter hub, and a prompt that is none of the project's."""
        found = _ROLE.match(messages[0]["content"])
        play = self._roles.get(found[1]) if found else None
        if play is None:
            raise CannotAnswerError(f"the simulated model plays {', '.join(self._roles)}, and this is no prompt of one")
        return play(messages[1]["content"])

    def _review(self, request: str) -> str:
        lines = request.split("\n")
        form = next(json.loads(line) for line in reversed(lines) if line.startswith('{"answers": '))
        fields = [*form["answers"][0]]
        rows = [json.loads(line) for line in lines if line.startswith('{"id": ')]
        return json.dumps({"answers": [self._answer(row, fields) for row in rows]}, ensure_ascii=False)

    def _answer(self, row: dict[str, Any], fields: list[str]) -> dict[str, Any]:
        """Return the answer about one row, with the fields that are asked for in their order."""
        known = self._answers.get(_key_of_text(row["text"])) if "text" in row else None
        if known is None:
            raise CannotAnswerError(
                f"the stream {self._stream.name} of the simulated reviewer holds no such row: {shorten(str(row), 200)}"
            )
        label, sure = known
        values = {
            "id": row["id"],
            "thought": _THOUGHT,
            "reason": _REASON,
            "label": label,
            "labels": [label],
            "sure": sure,
        }
        return {field: values[field] for field in fields}

    def _analyse(self, request: str) -> str:
        task = describe_task(self._stream).model_dump(mode="json", exclude={"version", "sentence", "inferred"})
        return json.dumps({**task, "question": None})

    def _crawl(self, request: str) -> str:
        if '"queries"' in request:
            return json.dumps({"queries": [name.replace("-", " ") for name in self._stream.specialists]})
        return json.dumps({"acts": [{"action": "stop", "reason": _REASON}]})

    def _select(self, request: str) -> str:
        shown = [json.loads(line) for line in request.split("\n") if line.startswith('{"id": ')]
        chosen = {f"{OWNER}/{name}" for name in self._stream.specialists}
        yes, no = {"use": "yes", "probability": 0.9}, {"use": "no", "probability": 0.1}
        return json.dumps(
            {
                "choices": [
                    {"id": one["id"], **(yes if one["name"] in chosen else no), "reason": _REASON} for one in shown
                ]
            }
        )

    def _map_classes(self, request: str) -> str:
        model = next(json.loads(line) for line in request.split("\n") if line.startswith('{"name": '))
        owner, _, name = model["name"].partition("/")
        if owner != OWNER or name not in self._stream.specialists:
            raise CannotAnswerError(f"the simulated coder knows the stream's ensemble only, and not {model['name']}")
        classes = map_classes(name, self._stream.labels)
        return f"```json\n{json.dumps({'classes': classes, 'reason': _REASON})}\n```"


def describe_task(stream: Stream) -> TaskSpec:
    """Return the task of a stream, as its analyst puts it: the definitions say no more than the names."""
    labels = (
        LabelSpec(name=name, definition=f"The text is {name}.", example=f"It is {name}.") for name in stream.labels
    )
    return TaskSpec(
        sentence=f"Label each text as {', '.join(stream.labels)}",
        labels=tuple(labels),
        text_columns=("text",),
    )


def _write_cases(request: str) -> str:
    return json.dumps({"cases": [{"text": text, "why": _REASON} for text in _ODD_TEXTS]})


def _key_of_text(text: str) -> str:
    """Return the key of a text as a prompt shows it."""
    return normalise_text(shorten(text, LONGEST_TEXT))


def main(arguments: Sequence[str] | None = None) -> int:
    """Serve a simulated language model until interrupted, and return the exit status."""
    try:
        return answer(sys.argv[1:] if arguments is None else arguments, _run)
    except KeyboardInterrupt:
        return INTERRUPTED


def _run(arguments: Sequence[str]) -> Outcome:
    options = _build_parser().parse_args(arguments)
    stream = _find_stream(options)
    if options.write_data:
        _write_csv(options.write_data, ("text",), ((text,) for text in stream.texts))
    if options.write_gold:
        gold = [stream.labels[label] for label in stream.gold]
        _write_csv(options.write_gold, ("text", "label"), zip(stream.texts, gold, strict=True))
    reviewer = next(one for one in REVIEWERS if one.name == options.reviewer)
    try:
        server = ChatServer(SimulatedLLM(stream, reviewer, options.seed).reply, options.port)
    except (OSError, OverflowError) as error:
        raise PersonError(
            f"cannot listen on {HOST}, port {options.port}: {error}", next_step="Give a free --port, up to 65535."
        ) from error
    with server:
        print(server.url, flush=True)  # noqa: T201 (scripts wait for this line)
        threading.Event().wait()
    return Outcome()


def _find_stream(options: argparse.Namespace) -> Stream:
    plans = {plan.name: plan for plan in (STREAMS if options.data else SAMPLES)}
    name = options.stream or next(iter(plans))
    if name not in plans:
        raise PersonError(
            f"there is no stream {name!r} in {options.data or 'the shipped sample'}",
            next_step=f"There are {', '.join(plans)}; with --data the larger ones.",
        )
    return read_stream(plans[name], options.data, options.kind)


def _write_csv(path: Path, header: Sequence[str], rows: Iterable[Sequence[str]]) -> None:
    """Write a table. Raises PersonError where it cannot be written."""
    try:
        with written_whole(path) as unfinished, unfinished.open("w", encoding="utf-8", newline="") as file:
            csv.writer(file).writerows([header, *rows])
    except OSError as error:
        raise PersonError(f"{path} cannot be written: {error}", next_step="Name another file.") from error


def _build_parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="python -m bench.simulated_llm",
        description="Serve a simulated language model on loopback until interrupted; the first line printed is its "
        "URL, for OPENAI_BASE_URL.",
        allow_abbrev=False,
    )
    named = ", ".join(plan.name for plan in SAMPLES)
    parser.add_argument("--stream", metavar="NAME", help=f"whose texts it knows (default: the first; {named})")
    parser.add_argument("--data", type=Path, metavar="DIR", help="the folder of the corpora (default: shipped sample)")
    parser.add_argument(
        "--kind",
        choices=("foreign", "home"),
        default="foreign",
        help="the ensemble that its selector takes: from other corpora than the stream's, or with the stream's own",
    )
    parser.add_argument("--reviewer", choices=[one.name for one in REVIEWERS], default="0.85", help="how it errs")
    parser.add_argument("--seed", type=int, default=1, help="which rows it errs on")
    parser.add_argument("--port", type=int, default=0, help="default: a free one")
    parser.add_argument("--write-data", type=Path, metavar="FILE", help="write the stream's texts as csv")
    parser.add_argument("--write-gold", type=Path, metavar="FILE", help="write the texts with their gold labels as csv")
    parser.add_argument("--debug", action="store_true", help="show tracebacks")
    return parser


if __name__ == "__main__":
    sys.exit(main())
