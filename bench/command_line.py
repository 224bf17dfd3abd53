"""`autoannotator-bench NAME`: runs one benchmark. It stands above the front door, so it has a command of its own."""

import argparse
import sys
from collections.abc import Sequence
from pathlib import Path
from pkgutil import resolve_name
from typing import TYPE_CHECKING

from autoannotator.command_line import INTERRUPTED, answer
from records.errors import NotYetError

if TYPE_CHECKING:
    from autoannotator.commands import Outcome

BENCHMARKS = {
    "sandbox": "bench.sandbox:sandbox",
    "hub": "bench.hub:hub",
    "voting": "bench.voting:voting",
    "aggregate": "bench.aggregate:aggregate",
    "certificate": "bench.certificate:certificate",
    "throughput": "bench.throughput:throughput",
}
"""Name → the function that takes the parsed options; imported when it is asked for."""
NOT_YET = ("learning", "scale", "paper", "peers")

EPILOG = """benchmarks:
  sandbox      what Docker and bubblewrap add to a worker's start and to a request, beside a bare process
  hub          how many of the models kept for a task are right ones, and the requests that it takes
  voting       how right the labels are, how sure, and for how many reviews, beside the paper's rule and other votes
  aggregate    seconds and memory of a million rows' votes, beside crowd-kit's where it is installed
  certificate  how often what a certificate states is not true, and the reviews that a target takes
  throughput   rows a second of a warm worker, beside transformers' pipeline and one row at a time

examples:
  autoannotator-bench sandbox
  autoannotator-bench throughput --quick
  autoannotator-bench throughput --data corpora --seeds 10 --out measured --json

exit status: 0 the benchmark ran, whatever it found · 1 a bug · 2 bad usage or input · 5 a service or a model failed
"""


def main(arguments: Sequence[str] | None = None) -> int:
    """Run one benchmark and return its exit status."""
    try:
        return answer(sys.argv[1:] if arguments is None else arguments, _run)
    except KeyboardInterrupt:  # let through, so that the workers and their files are gone by now
        return INTERRUPTED


def _run(arguments: Sequence[str]) -> "Outcome":
    options = parse(arguments)
    return resolve_name(BENCHMARKS[options.name])(options)


def parse(arguments: Sequence[str]) -> argparse.Namespace:
    """Return the options. Raises NotYetError for a benchmark that is planned; exits with status 2 on wrong usage."""
    options = _build_parser().parse_args(arguments)
    if options.name in NOT_YET:
        raise NotYetError(
            f"the benchmark {options.name} is not built yet in this version",
            next_step=f"What can be measured: {', '.join(BENCHMARKS)}.",
        )
    return options


def _build_parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="autoannotator-bench",
        description="Measure this project, beside what a person would use without it.",
        epilog=EPILOG,
        formatter_class=argparse.RawDescriptionHelpFormatter,
        allow_abbrev=False,
    )
    parser.add_argument("name", metavar="NAME", choices=[*BENCHMARKS, *NOT_YET], help="the benchmark (see below)")
    parser.add_argument("--quick", action="store_true", help="the same code on less data, in under a minute")
    parser.add_argument("--seeds", type=_count, metavar="N", help="repetitions, each on rows drawn with its own seed")
    parser.add_argument(
        "--data",
        type=Path,
        metavar="DIR",
        help="measure on the `text` columns of DIR's parquet files (hub: on DIR's catalogue) instead",
    )
    parser.add_argument("--out", type=Path, metavar="DIR", help="write the raw measurements into DIR")
    parser.add_argument("--json", action="store_true", help="print one JSON object last, on standard output")
    parser.add_argument("--debug", action="store_true", help="show tracebacks")
    return parser


def _count(text: str) -> int:
    if not text.isdecimal() or int(text) < 1:
        raise argparse.ArgumentTypeError(f"{text!r} is not a whole number of at least 1")
    return int(text)


if __name__ == "__main__":
    sys.exit(main())
