"""How well the right models for a task are found among hundreds that are not, and with how many requests.

A catalogue of model records is served as the Hub would serve it, and asked by the real client. For each of its tasks
the crawler looks for models within a run's budget and the selector keeps a run's shortlist; what they keep is held
against what a reader of the catalogue marked as right. A shortlist that is not full counts its empty places as wrong,
and so does a borderline model. The rules were tuned on six of the tasks; what counts are the six others.

With a language model the same is measured through a cassette: its recorded answers, never a model that is asked now.
"""

import argparse
import random
import statistics
import tempfile
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path

from rich.console import Console

from agents.asking import Asker
from agents.base import Crawler, Selector
from agents.crawler import LLMCrawler, OfflineCrawler
from agents.selector import LLMSelector
from agents.selector_rules import OfflineSelector
from autoannotator.commands import Outcome
from bench.cassette import play_back
from bench.catalogue import CATALOGUE, MODELS, SPLITS, CatalogueTask, Marks, Split, make_task, read_marks, read_tasks
from bench.measuring import BenchResult, Measure, describe_machine, make_folder, tabulate_result, write_raw
from hub.client import HubClient
from hub.server import HubServer
from records.base import Record
from records.candidate import Filters
from records.errors import ReplyError
from records.settings import Settings

CASSETTE = "cassette.jsonl"
PRECISION_TARGET = 0.8
MOST_REQUESTS = 59
"""A task has to take fewer than 60 requests to the Hub, before downloads."""
KEEP: int = Settings.model_fields["shortlist"].default
BUDGET: int = Settings.model_fields["hub_requests"].default
THRESHOLD: float = Settings.model_fields["select_threshold"].default
_RESAMPLES = 10_000

Tell = Callable[[str], None]


class TaskResult(Record):
    """What was kept for one task, and how that compares with the marks.

    `right` and `borderline` count among the kept; `requests` are those to the Hub.
    """

    task: str
    split: Split
    way: str
    kept: tuple[str, ...]
    right: int
    borderline: int
    requests: int

    @property
    def precision(self) -> float:
        """The share of the shortlist's places that hold a right model; an empty place holds none."""
        return self.right / KEEP


def hub(options: argparse.Namespace) -> Outcome:
    """Run the benchmark. Raises PersonError where `--out` cannot be written to, DataError for a broken catalogue."""
    console = Console(stderr=True)

    def tell(message: str) -> None:
        console.print(message, markup=False, highlight=False)

    folder = options.data or CATALOGUE
    tasks = read_tasks(folder)
    marks = {name: one for split in SPLITS for name, one in read_marks(folder, split).items()}
    make_folder(options.out)
    machine = describe_machine()
    by_rules = measure_tasks(
        folder, tasks, marks, way="rules", crawler=OfflineCrawler(), selector=OfflineSelector(THRESHOLD)
    )
    by_llm, how = measure_cassette(folder, tasks, marks)
    tell(how)
    result = BenchResult(
        bench="hub",
        machine=machine,
        data=f"{len(tasks)} tasks on {folder / MODELS if options.data else MODELS}",
        method="One run without chance: --quick and --seeds change nothing. Precision among the first "
        f"{KEEP} kept: the mean over a split's tasks, with a 95 % bootstrap interval over the tasks. {how}",
        measures=summarise_results(by_rules, by_llm),
    )
    write_raw(options.out, result, [*by_rules, *by_llm])
    return Outcome([tabulate_result(result)], result.model_dump(mode="json"))


def measure_cassette(
    folder: Path, tasks: Sequence[CatalogueTask], marks: Mapping[str, Marks]
) -> tuple[list[TaskResult], str]:
    """Return the results on the held-out tasks as the cassette's language model gives them, and where they are from;
    no results, and why, where there is no cassette or it does not fit any more."""
    path = folder / CASSETTE
    if not path.exists():
        return [], f"With a language model nothing is measured: there is no cassette {CASSETTE}."
    with play_back(path) as asker:
        try:
            results = measure_llm(folder, tasks, marks, asker)
        except ReplyError as error:
            return [], f"With a language model nothing is measured: {error.what}."
        return results, f"The language model's part is a cassette: answers recorded of {asker.chat.name}."


def measure_llm(
    folder: Path, tasks: Sequence[CatalogueTask], marks: Mapping[str, Marks], asker: Asker
) -> list[TaskResult]:
    """Return the results on the held-out tasks with a language model. Raises ReplyError and LLMUnreachableError."""
    held_out = [task for task in tasks if task.split == "held_out"]
    return measure_tasks(
        folder, held_out, marks, way="llm", crawler=LLMCrawler(asker), selector=LLMSelector(asker, THRESHOLD)
    )


def measure_tasks(
    folder: Path,
    tasks: Sequence[CatalogueTask],
    marks: Mapping[str, Marks],
    *,
    way: str,
    crawler: Crawler,
    selector: Selector,
) -> list[TaskResult]:
    """Return what was kept for each task, with a catalogue served for all of them, and a client of its own for each."""
    results: list[TaskResult] = []
    with HubServer(folder / MODELS) as server, tempfile.TemporaryDirectory(prefix="autoannotator-bench-") as cache:
        for task in tasks:
            spec, filters = make_task(task), Filters()
            client = HubClient(server.url, Path(cache) / task.name, embedded="catalogue")
            crawl = crawler.crawl(spec, client, filters, BUDGET)
            selections = selector.select(spec, crawl.candidates, KEEP, filters)
            kept = tuple(one.repo_id for one in selections if one.kept)[:KEEP]
            results.append(_judge(task, marks[task.name], way, kept, client.requests))
    return results


def _judge(task: CatalogueTask, marks: Marks, way: str, kept: tuple[str, ...], requests: int) -> TaskResult:
    return TaskResult(
        task=task.name,
        split=task.split,
        way=way,
        kept=kept,
        right=sum(name in marks.right for name in kept),
        borderline=sum(name in marks.borderline for name in kept),
        requests=requests,
    )


def summarise_results(by_rules: Sequence[TaskResult], by_llm: Sequence[TaskResult]) -> tuple[Measure, ...]:
    """Return the means of the splits, the tasks' own figures, and the greatest number of requests."""
    held_out = [one for one in by_rules if one.split == "held_out"]
    tuning = [one for one in by_rules if one.split == "tuning"]
    return (
        summarise_precision("precision_at_6_held_out_rules", held_out, PRECISION_TARGET),
        summarise_precision("precision_at_6_held_out_llm", by_llm, PRECISION_TARGET),
        summarise_precision("precision_at_6_tuning_rules", tuning, None),
        *(_summarise_misses(f"borderline_misses_{way}", results) for way, results in _ways(held_out, by_llm)),
        *(_summarise_requests(f"most_requests_{way}", results) for way, results in _ways(by_rules, by_llm)),
        *(_state(f"{one.task}_{one.way}", one.precision, "share") for one in (*by_rules, *by_llm)),
    )


def _ways(by_rules: Sequence[TaskResult], by_llm: Sequence[TaskResult]) -> tuple[tuple[str, Sequence[TaskResult]], ...]:
    return (("rules", by_rules), *((("llm", by_llm),) if by_llm else ()))


def summarise_precision(name: str, results: Sequence[TaskResult], target: float | None) -> Measure:
    """Return the mean precision with its bootstrap interval over the tasks; without a result, a measure without a
    value."""
    values = [one.precision for one in results]
    if not values:
        return Measure(name=name, value=None, interval=None, target=target, ok=None, unit="share")
    chance = random.Random(0)  # noqa: S311 (no secret)
    means = sorted(statistics.fmean(chance.choices(values, k=len(values))) for _ in range(_RESAMPLES))
    interval = means[int(0.025 * _RESAMPLES)], means[int(0.975 * _RESAMPLES) - 1]
    ok = None if target is None else interval[1] >= target
    return Measure(name=name, value=statistics.fmean(values), interval=interval, target=target, ok=ok, unit="share")


def _summarise_misses(name: str, results: Sequence[TaskResult]) -> Measure:
    """Return how many of the kept models that count as wrong are borderline ones."""
    return _state(name, sum(one.borderline for one in results), "models")


def _summarise_requests(name: str, results: Sequence[TaskResult]) -> Measure:
    counts = [one.requests for one in results]
    most, least = max(counts), min(counts)
    ok = most <= MOST_REQUESTS
    return Measure(name=name, value=most, interval=(least, most), target=MOST_REQUESTS, ok=ok, unit="requests")


def _state(name: str, value: float, unit: str) -> Measure:
    return Measure(name=name, value=value, interval=(value, value), target=None, ok=None, unit=unit)
