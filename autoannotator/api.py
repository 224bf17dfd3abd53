"""The Python API: the same runs as the command line's, from a script or a notebook."""

import json
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any, Protocol, runtime_checkable

import pandas as pd
import pyarrow as pa
from rich.console import Console

from autoannotator.budget import change_budget
from autoannotator.display import Display
from autoannotator.runner import (
    GENERATED,
    find_run,
    let_spend,
    name_run,
    refuse_to_ask,
    resume_run,
    review_run,
    start_run,
)
from autoannotator.settings import resolve_settings
from graphs.people import draw_sample
from records.errors import SettingsError
from records.events import Event
from records.folder import RunFolder, write_table

GIVEN = "given.parquet"
"""The file in the run folder that holds data which came as an object."""
Setting = str | int | float | bool | Sequence[str] | None


@runtime_checkable
class DatasetLike(Protocol):
    """What a `datasets.Dataset` offers that is needed here."""

    def to_pandas(self) -> pd.DataFrame: ...


class Run:
    """A run in its folder; its parts are read when they are asked for."""

    def __init__(self, folder: RunFolder) -> None:
        self.folder = folder

    def __repr__(self) -> str:
        return f"Run({str(self.folder.path)!r})"

    @property
    def labels(self) -> pd.DataFrame:
        """The labelled rows in the input's order: the original columns, then those of `records.rows.LABEL_COLUMNS`."""
        return pd.read_parquet(self.folder.labels)

    @property
    def report(self) -> Path:
        """The report, one self-contained HTML page."""
        return self.folder.report

    @property
    def certificate(self) -> dict[str, Any]:
        """What is certified about the labels; status "none" with a reason where nothing is."""
        return json.loads(self.folder.certificate.read_text(encoding="utf-8"))

    @property
    def cost(self) -> dict[str, Any]:
        """What was asked of a language model, by role, and what each specialist read."""
        return json.loads(self.folder.cost.read_text(encoding="utf-8"))

    def resume(
        self,
        on_event: Callable[[Event], None] | None = None,
        *,
        yes: bool = False,
        budget: float | None = None,
        target_error: float | None = None,
    ) -> "Run":
        """Finish the run where it stopped; a finished one is left as it is, unless it is to meet another
        `target_error`. `yes` as for `annotate`, and where the run waits for leave, it gives it. `budget` are the USD
        that it may spend in all from now on.

        Raises WaitingForPersonError where it waits without leave, BudgetReachedError where the budget does not do, and
        SettingsError for a budget of no more than is spent, or of a finished run.
        """
        with Display(Console(stderr=True)) as display:
            show = on_event or display.take
            if budget is not None:
                change_budget(self.folder, budget, show)
            ask = let_spend(refuse_to_ask) if yes else refuse_to_ask
            resume_run(self.folder, show, ask, approve=lambda told: yes, leave=yes, target_error=target_error)
            return Run(self.folder)

    def review(
        self,
        answers: str | Path | None = None,
        *,
        rows: int | None = None,
        on_event: Callable[[Event], None] | None = None,
    ) -> "Run":
        """Have people audit the labels of a finished run. First `rows` of them (by default 5 %, at most 300) are drawn
        at random, into `review.csv` in the run folder. Then the file with the people's `answers` gives the second line
        of the certificate (`certificate["people"]`), and these rows their labels.

        Raises DataError where the answers are not those to the rows drawn, and PersonError where there were others.
        """
        if answers is None:
            draw_sample(self.folder, rows)
            return self
        with Display(Console(stderr=True)) as display:
            return Run(review_run(self.folder, Path(answers), on_event or display.take))


def open_run(run: str | Path) -> Run:
    """Return an existing run by its folder or its id. Raises RunFolderError where there is none."""
    return Run(find_run(run))


def annotate(
    task: str | None = None,
    *,
    data: str | Path | pd.DataFrame | DatasetLike,
    out: str | Path | None = None,
    on_event: Callable[[Event], None] | None = None,
    yes: bool = False,
    **settings: Setting,
) -> Run:
    """Label the rows of `data` and return the finished run.

    `task` is the sentence; without it, `task_file` names a task.yaml that holds one.
    `data` is a file (csv, tsv, txt, json, jsonl, xlsx, parquet), a DataFrame or a `datasets.Dataset`. `settings` are
    the options of `autoannotator run` by the same names, with underscores (`hub="starter"`, `models=3`,
    `learning=False`), and the other fields of `records.settings.Settings`. `out` is the run folder. `on_event` is told
    what happens; by default it is shown on standard error. With `yes` a language model on another machine may see
    rows of the data, and a run whose forecast is over its budget goes on; without it, these are a PersonError which
    says how many, and a WaitingForPersonError.

    Raises the errors of `records.errors`: SettingsError and DataError for what the caller can mend, and
    InfrastructureError, after which `open_run(out).resume()` goes on, as after BudgetReachedError with a larger
    `budget`.
    """
    listed = {
        name: (value,) if name in ("text", "licence", "language") and isinstance(value, str) else value
        for name, value in settings.items()
    }
    with Display(Console(stderr=True, quiet=on_event is not None)) as display:
        show = on_event or display.take
        table = None if isinstance(data, str | Path) else _as_table(data)
        resolved = resolve_settings({**listed, "task": task, "data": GIVEN if table is not None else data})
        path = Path(out) if out else GENERATED / name_run(resolved.task)
        if table is not None:
            resolved = resolved.model_copy(update={"data": str(path.absolute() / GIVEN)})

        def prepare(folder: RunFolder) -> None:
            if table is not None:
                write_table(folder.path / GIVEN, table)

        ask = let_spend(refuse_to_ask) if yes else refuse_to_ask
        return Run(start_run(resolved, path, show, ask, approve=lambda told: yes, prepare=prepare))


def _as_table(data: object) -> pa.Table:
    frame = data.to_pandas() if isinstance(data, DatasetLike) else data
    if not isinstance(frame, pd.DataFrame):
        raise SettingsError(
            f"data is a {type(data).__name__}; allowed are a path, a pandas DataFrame and a datasets.Dataset",
            next_step="Give the path of a file, or a DataFrame.",
        )
    try:
        return pa.Table.from_pandas(frame, preserve_index=False)
    except pa.ArrowException as error:
        raise SettingsError(
            f"the data cannot be written as a table: {error}", next_step="Give every column values of one type."
        ) from error
