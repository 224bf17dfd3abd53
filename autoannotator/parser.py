"""The command line's grammar. What is planned and not built yet is known by name, and refused as such."""

import argparse
from collections.abc import Sequence
from pathlib import Path
from typing import Any, NoReturn, Protocol

from autoannotator.run_options import add_run_options, add_search_options, refuse, split_list
from records.errors import PersonError


class Commands(Protocol):
    """What `argparse` gives to add commands to; it names no public type for it."""

    def add_parser(self, name: str, **settings: Any) -> argparse.ArgumentParser: ...  # noqa: ANN401 (argparse's own)


NOT_YET_COMMANDS = ("export", "chat", "serve", "mcp", "runs compare")

RUN_EXAMPLES = """examples:
  autoannotator run "Label each review sentence as positive or negative" --data reviews.csv --hub starter
  autoannotator run "Is each tweet offensive or not?" --data tweets.xlsx --text tweet --hub starter --out run1
  autoannotator run --task run1/task.yaml --data tweets.xlsx --hub starter --out run2
  OPENAI_BASE_URL=http://localhost:8000/v1 autoannotator run "…" --data rows.jsonl --llm openai:MODEL

exit status: 0 done · 1 a bug · 2 bad usage or input · 3 finished, with unlabelled rows or not certified
though --target-error asked for it · 4 the budget is reached (resumable with more) · 5 a service cannot be
reached or a model failed (resumable) · 6 waiting for a person (resumable)
"""


ESTIMATE_EXAMPLES = """examples:
  autoannotator estimate "Is each tweet offensive or not?" --data tweets.csv --llm openai:MODEL --out run1
  autoannotator resume run1

The models are searched, tested and auditioned, and the reviewer labels the probe, as in a run. The run folder stays.
"""


REVIEW_EXAMPLES = """examples:
  autoannotator review run1                             draws rows for people, into run1/review.csv; exit status 6
  autoannotator review run1 --answers run1/review.csv   takes their labels and states the bound

A row whose label stays empty counts as different. The labels change no more afterwards.
"""


FLAGS = ("--debug", "--json")
"""Options of every command, wherever they stand; see `command_line`."""


class UsageError(PersonError):
    """The words of a command do not fit its grammar."""


class Grammar(argparse.ArgumentParser):
    """A parser whose mistakes are errors like all others."""

    def error(self, message: str) -> NoReturn:
        raise UsageError(f"{self.prog}: {message}", next_step=f"See `{self.prog} --help`.")


def parse(arguments: Sequence[str]) -> argparse.Namespace:
    """Return the options; `command` is the function in this package (`module:name`) that does what is asked.

    Raises NotYetError for what is planned and not built yet, and UsageError where the words do not fit.
    """
    for name in NOT_YET_COMMANDS:
        if list(arguments[: len(name.split())]) == name.split():
            refuse(name)
    options = build_parser().parse_args([word for word in arguments if word not in FLAGS])
    options.json = "--json" in arguments
    return options


def build_parser() -> argparse.ArgumentParser:
    """Return the grammar of every command that works."""
    parser = Grammar(
        prog="autoannotator",
        description="One sentence and a file of texts in, a labelled file and its report out.",
        epilog='Start with `autoannotator demo`, or: autoannotator run "…" --data FILE --hub starter',
    )
    parts = parser.add_subparsers(metavar="COMMAND", required=True)
    _add_runs(parts)
    _add_hub(parts)
    doctor = _add(parts, "doctor", "commands:doctor", "say what this machine has and lacks", "autoannotator doctor")
    doctor.add_argument("--build-image", action="store_true", help="build the image of the Docker sandbox")
    doctor.add_argument("--base", metavar="IMAGE", help="the image to build on (default: an official Python image)")
    return parser


def _add(parts: Commands, name: str, command: str, purpose: str, examples: str) -> argparse.ArgumentParser:
    parser: argparse.ArgumentParser = parts.add_parser(
        name,
        help=purpose,
        description=purpose[0].upper() + purpose[1:] + ".",
        epilog=examples if examples.startswith("examples:") else f"example: {examples}",
        formatter_class=argparse.RawDescriptionHelpFormatter,
        allow_abbrev=False,
    )
    parser.add_argument("--debug", action="store_true", help="show tracebacks")
    parser.add_argument("--json", action="store_true", help="print one JSON object last, on standard output")
    parser.set_defaults(command=command)
    return parser


def _add_runs(parts: Commands) -> None:
    _add_task(_add(parts, "run", "commands:run", "label a file", RUN_EXAMPLES))
    estimate = "forecast what a run would review, spend and take, and stop there"
    _add_task(_add(parts, "estimate", "forecasting:estimate", estimate, ESTIMATE_EXAMPLES))
    shown = _add(
        parts, "demo", "demo:demo", "label a shipped file of real review sentences", "autoannotator demo --out demo"
    )
    add_run_options(shown)
    resume = _add(parts, "resume", "commands:resume", "finish a run that was stopped", "autoannotator resume RUN")
    _add_run_argument(resume)
    resume.add_argument(
        "--yes", action="store_true", help="ask nothing, let a run that waits go on, and let its model see rows"
    )
    resume.add_argument(
        "--budget", type=float, metavar="USD", help="what the run may spend in all from now on, more than is spent"
    )
    resume.add_argument(
        "--target-error", type=float, metavar="E",
        help="certify that at most this share of the labels differs; a finished run takes a fresh audit",
    )  # fmt: skip
    review = _add(parts, "review", "commands:review", "have people audit a finished run's labels", REVIEW_EXAMPLES)
    _add_run_argument(review)
    what = review.add_mutually_exclusive_group()
    what.add_argument("--rows", type=int, metavar="N", help="rows to draw (default: 5 %% of all, at most 300)")
    what.add_argument("--answers", type=Path, metavar="FILE", help="the rows with people's labels, in any data format")
    status = _add(parts, "status", "commands:status", "say how far a run is", "autoannotator status RUN")
    _add_run_argument(status)
    report = _add(parts, "report", "commands:report", "draw a finished run's report again", "autoannotator report RUN")
    _add_run_argument(report)
    runs = _add(parts, "runs", "commands:runs", "list, show or delete runs", "autoannotator runs list")
    runs.add_argument("action", nargs="?", default="list", choices=["list", "show", "delete"])
    runs.add_argument("runs", metavar="RUN", nargs="*", help="run folders, or ids of runs in generated/")
    runs.add_argument("--yes", action="store_true", help="delete without asking")


def _add_task(run: argparse.ArgumentParser) -> None:
    run.add_argument(
        "task", metavar="TASK", nargs="?", help="what to do, in one sentence; beside --task it replaces the file's"
    )
    run.add_argument("--data", metavar="FILE", required=True, help="csv, tsv, txt, json, jsonl, xlsx or parquet")
    run.add_argument(
        "--task", dest="task_file", metavar="FILE", help="a task.yaml, as every run folder holds one: it is the task"
    )
    add_run_options(run)


def _add_run_argument(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("run", metavar="RUN", help="a run folder, or the id of a run in generated/")


def _add_hub(parts: Commands) -> None:
    hub = parts.add_parser("hub", help="search a Hub, or serve models as one")
    actions = hub.add_subparsers(metavar="ACTION", required=True)
    serve = _add(
        actions, "serve", "commands:serve_hub", "serve DIR/owner/name/ as a Hub", "autoannotator hub serve models"
    )
    serve.add_argument("path", type=Path, metavar="DIR", help="the folder, or a catalogue of models (.jsonl)")
    serve.add_argument("--host", default="127.0.0.1", help="the address to listen on (default 127.0.0.1)")
    serve.add_argument("--port", type=int, default=0, help="the port to listen on (default: a free one)")
    search = _add(
        actions,
        "search",
        "hub_search:search",
        "show which models a run would try for a task, and why not others",
        'autoannotator hub search "Is each German tweet toxic or not?" --max-params 150M',
    )
    search.add_argument("task", metavar="TASK", help="what to do, in one sentence")
    search.add_argument(
        "--labels", type=split_list, metavar="A,B,C", help="the labels (default: told from the sentence)"
    )
    search.add_argument("--llm", metavar="LLM", help="offline (default) or openai:MODEL")
    search.add_argument(
        "--hub", metavar="HUB", help="a Hub's URL, or starter (default: HF_ENDPOINT, else the public Hub)"
    )
    add_search_options(search)
