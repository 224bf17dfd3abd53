"""The demo: the whole loop on a shipped file of real review sentences, scored against labels kept aside."""

import argparse
import json
from collections import Counter
from pathlib import Path
from typing import Any

import pyarrow.parquet as pq

from autoannotator import commands
from autoannotator.summary import summarise_run, tell_summary
from records.candidate import repo_of
from records.folder import RunFolder

DATA = Path(__file__).parents[1] / "bench" / "data"
"""The shipped sample; it lies beside this package in a checkout as in an installed wheel."""
TASK = "Label each review sentence as positive or negative"


def demo(options: argparse.Namespace) -> commands.Outcome:
    """Label the demo's file on the starter hub; the gold labels are read only after the run has ended."""
    options.hub = options.hub or "starter"
    folder = commands.start(options, TASK, DATA / "reviews.jsonl")
    summary = summarise_run(folder).model_copy(update={"accuracy": score_run(folder, DATA / "reviews_gold.jsonl")})
    return commands.Outcome(tell_summary(summary), summary.model_dump(mode="json"), summary.exit_status)


def score_run(folder: RunFolder, gold_file: Path) -> dict[str, float]:
    """Return the share of right labels of the run, of each specialist and of their majority, by their names."""
    gold = {row["id"]: row["label"] for row in map(json.loads, gold_file.read_text(encoding="utf-8").splitlines())}
    rows = pq.read_table(folder.labels, columns=["id", "label", "votes"]).to_pylist()
    right: Counter[str] = Counter()
    for row in rows:
        votes: dict[str, Any] = dict(row["votes"])
        answers = {"AutoAnnotator": row["label"], **votes, "majority of the specialists": _majority(votes)}
        right.update(name for name, label in answers.items() if label == gold[row["id"]])
    return {repo_of(name): count / len(rows) for name, count in right.items()}


def _majority(votes: dict[str, Any]) -> str:
    """Return the label of most specialists; a tie goes to the one that voted first."""
    return Counter(votes.values()).most_common(1)[0][0]
