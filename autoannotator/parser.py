"""The command line's grammar. What is planned and not built yet is known by name, and refused as such."""

import argparse
import re
from collections.abc import Sequence
from pathlib import Path
from typing import Any, NoReturn, Protocol

from autoannotator.settings import NOT_YET_OPTIONS
from records.errors import NotYetError, PersonError


class Commands(Protocol):
    """What `argparse` gives to add commands to; it names no public type for it."""

    def add_parser(self, name: str, **settings: Any) -> argparse.ArgumentParser: ...  # noqa: ANN401 (argparse's own)


NOT_YET_COMMANDS = ("review", "export", "chat", "serve", "mcp", "runs compare")

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


class _NotYet(argparse.Action):
    """Refuses an option that a later version brings."""

    def __call__(
        self,
        parser: argparse.ArgumentParser,
        namespace: argparse.Namespace,
        values: str | Sequence[Any] | None,
        option_string: str | None = None,
    ) -> None:
        refuse(option_string or self.dest)


def refuse(what: str) -> None:
    """Raise NotYetError for an option or a command."""
    raise NotYetError(f"{what} does not work yet in this version", next_step="`autoannotator --help` lists what does.")


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
    _add_run_options(shown)
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
    _add_run_options(run)


def _add_run_argument(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("run", metavar="RUN", help="a run folder, or the id of a run in generated/")


def _add_run_options(parser: argparse.ArgumentParser) -> None:
    what = parser.add_argument_group("what")
    what.add_argument("--text", action="append", metavar="COLUMN", help="the column to label; given twice, both")
    what.add_argument(
        "--labels", type=_split_list, metavar="A,B,C", help="the labels (default: told from the sentence)"
    )
    what.add_argument("--sheet", help="the sheet of a spreadsheet that has several")
    what.add_argument(
        "--gold", metavar="FILE",
        help="rows of the data with their true labels (columns label, and id or the text column): they are kept as "
        "given, and the candidates are auditioned on them",
    )  # fmt: skip
    who = parser.add_argument_group("who")
    who.add_argument(
        "--llm", metavar="LLM", help="offline (default) or openai:MODEL, with OPENAI_BASE_URL for your server"
    )
    who.add_argument(
        "--review-style", choices=["zero", "few", "cot"],
        help="how a language model reviews: from the labels alone (default), with examples, or thinking first",
    )  # fmt: skip
    who.add_argument("--review-reasons", action="store_true", default=None, help="a short reason with each review")
    who.add_argument("--show-votes", action="store_true", default=None, help="show the reviewer the specialists' votes")
    who.add_argument("--hub", metavar="HUB", help="a Hub's URL, or starter (default: HF_ENDPOINT, else the public Hub)")
    who.add_argument(
        "--lock", metavar="FILE", help="a models.lock.json: its models and scripts are used, and none are searched for"
    )
    who.add_argument("--models", type=int, metavar="K", help="specialists that vote (default 3)")
    _add_search_options(who)
    _add_how(parser)
    _add_limits(parser)
    where = parser.add_argument_group("where")
    where.add_argument("--sandbox", choices=["auto", "docker", "bwrap", "process"], help="what contains the scripts")
    where.add_argument("--sandbox-runtime", metavar="NAME", help="Docker's runtime: runsc, kata, or another it knows")
    where.add_argument("--gpus", metavar="GPUS", help="GPUs for Docker's containers: all, a number, or device=ID,ID")
    where.add_argument("--out", type=Path, metavar="DIR", help="the run folder (default: generated/<run-id>)")
    parser.add_argument(
        "--yes", action="store_true",
        help="ask nothing, let the model of --llm see rows, and begin where the forecast is over the budget",
    )  # fmt: skip
    for option in NOT_YET_OPTIONS:
        parser.add_argument(option, action=_NotYet, nargs="?", help=argparse.SUPPRESS)


def _add_how(parser: argparse.ArgumentParser) -> None:
    how = parser.add_argument_group("how")
    how.add_argument(
        "--vote", choices=["calibrated", "soft", "majority", "dawid_skene"],
        help="how opinions become a label (default: calibrated on reviewed rows, with answers as evidence)",
    )  # fmt: skip
    how.add_argument(
        "--rule",
        choices=["risk", "disagreement"],
        help="review where it is worth most (default), or all that the specialists dispute",
    )
    how.add_argument(
        "--review-share", type=float, metavar="SHARE",
        help="the largest share of a stage that is reviewed for risk (default: 1 with a language model, else 0.2)",
    )  # fmt: skip
    how.add_argument("--stage-size", type=int, metavar="N", help="rows of a stage (default: a quarter of the file)")
    how.add_argument("--pool-size", type=int, metavar="N", help="reviewed rows that start a fine-tune (default 64)")
    how.add_argument("--no-learning", dest="learning", action="store_false", default=None, help="fine-tune nothing")
    how.add_argument("--seed", type=int, help="the seed of every random choice (default 0)")
    how.add_argument(
        "--threads", type=int, metavar="N", help="threads of one specialist (default: cores / concurrency)"
    )
    how.add_argument("--concurrency", type=int, metavar="N", help="specialists that run at the same time (default 2)")


def _add_limits(parser: argparse.ArgumentParser) -> None:
    limits = parser.add_argument_group("limits")
    limits.add_argument(
        "--worth", type=float, metavar="ERRORS", help="that a review must be expected to remove (default 0.1)"
    )
    limits.add_argument(
        "--target-error", type=float, metavar="E",
        help="review until at most this share of all labels is certified to differ from the reviewer's: 0.1 for 10 %% "
        "(default: none; what an audit of 5 %% of the rows shows is stated)",
    )  # fmt: skip
    limits.add_argument("--confidence", type=float, metavar="C", help="of what is certified (default 0.95)")
    limits.add_argument("--llm-concurrency", type=int, metavar="N", help="requests under way at a time (default 4)")
    limits.add_argument("--llm-requests-per-minute", type=int, metavar="N", help="default: no limit")
    limits.add_argument("--llm-tokens-per-minute", type=int, metavar="N", help="default: no limit")
    limits.add_argument("--llm-timeout", type=float, metavar="SECONDS", help="for one answer (default 120)")
    limits.add_argument(
        "--llm-patience", type=float, metavar="SECONDS",
        help="how long to wait for an endpoint that has answered before and fails now (default 1800)",
    )  # fmt: skip
    limits.add_argument(
        "--llm-price", type=_split_price, metavar="IN,OUT",
        help="USD for a million tokens read and written (default: the price library's; a server of your own: 0,0)",
    )  # fmt: skip
    limits.add_argument(
        "--budget", type=float, metavar="USD",
        help="what the run may spend on the language model; where it does not reach, rows keep their vote",
    )  # fmt: skip
    limits.add_argument(
        "--batch-api", action="store_true", default=None,
        help="send reviews to the endpoint's batches: half the price where it has one, answered within a day",
    )  # fmt: skip


def _add_search_options(group: argparse._ArgumentGroup | argparse.ArgumentParser) -> None:
    group.add_argument(
        "--max-params", type=_read_number, metavar="N", help="the most parameters of a model: 150M, 1.5B or a number"
    )
    group.add_argument(
        "--licence", type=_split_list, metavar="A,B", help="licences, any of which will do: apache-2.0,mit"
    )
    group.add_argument(
        "--language", type=_split_list, metavar="A,B",
        help="languages that models may be for, as codes: de,fr (default: the task's)",
    )  # fmt: skip
    group.add_argument("--shortlist", type=int, metavar="N", help="models that are downloaded and tried (default 6)")
    group.add_argument(
        "--select-threshold", type=float, metavar="T", help="the least score of a model that is tried (default 0.2)"
    )
    group.add_argument(
        "--hub-requests", type=int, metavar="N", help="requests to the Hub before downloads, 4 or more (default 56)"
    )


def _read_number(text: str) -> int:
    """Return a number such as 150M, 1.5B or 110000000."""
    found = re.fullmatch(r"(\d+(?:\.\d+)?)([kmb]?)", text.strip().replace("_", ""), re.IGNORECASE)
    number = round(float(found[1]) * {"": 1, "k": 10**3, "m": 10**6, "b": 10**9}[found[2].lower()]) if found else 0
    if number < 1 or (found and not found[2] and "." in found[1]):
        raise argparse.ArgumentTypeError(f"{text!r} is no number of parameters such as 150M, 1.5B or 110000000")
    return number


def _split_list(text: str) -> tuple[str, ...]:
    parts = tuple(part.strip() for part in text.split(",") if part.strip())
    if text.strip() and not parts:
        raise argparse.ArgumentTypeError(f"{text!r} names nothing: write them with commas between, such as a,b")
    return parts


def _split_price(text: str) -> tuple[float, ...]:
    try:
        tokens_in, tokens_out = map(float, text.split(","))
    except ValueError as error:
        raise argparse.ArgumentTypeError(f"{text!r} is not IN,OUT, two prices such as 0.15,0.60") from error
    return tokens_in, tokens_out


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
        "--labels", type=_split_list, metavar="A,B,C", help="the labels (default: told from the sentence)"
    )
    search.add_argument("--llm", metavar="LLM", help="offline (default) or openai:MODEL")
    search.add_argument(
        "--hub", metavar="HUB", help="a Hub's URL, or starter (default: HF_ENDPOINT, else the public Hub)"
    )
    _add_search_options(search)
