"""The options of a run and of a search for models. What is planned and not built yet is refused by its name."""

import argparse
import re
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from autoannotator.settings import NOT_YET_OPTIONS
from records.errors import NotYetError


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


def add_run_options(parser: argparse.ArgumentParser) -> None:
    """Add all that may be said of a run beside its task and its file."""
    what = parser.add_argument_group("what")
    what.add_argument("--text", action="append", metavar="COLUMN", help="the column to label; twice for pairs of texts")
    what.add_argument("--labels", type=split_list, metavar="A,B,C", help="the labels (default: told from the sentence)")
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
    add_search_options(who)
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


def add_search_options(group: argparse._ArgumentGroup | argparse.ArgumentParser) -> None:
    """Add what a search for models is bounded by."""
    group.add_argument(
        "--max-params", type=_read_number, metavar="N", help="the most parameters of a model: 150M, 1.5B or a number"
    )
    group.add_argument(
        "--licence", type=split_list, metavar="A,B", help="licences, any of which will do: apache-2.0,mit"
    )
    group.add_argument(
        "--language", type=split_list, metavar="A,B",
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


def split_list(text: str) -> tuple[str, ...]:
    """Return the parts of a list with commas between."""
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
