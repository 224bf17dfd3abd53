"""The audit by people: a uniform random sample of a finished run's labels, drawn for them, and their answers to it."""

import csv
from collections.abc import Sequence
from pathlib import Path
from tempfile import TemporaryDirectory

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from graphs.annotations import answers_of
from graphs.audit_design import make_seed
from graphs.audit_files import take_claim
from graphs.certifying import certify_people
from graphs.context import RunContext
from graphs.gold import book_rows, read_labelled
from graphs.gold_labels import match_labels
from graphs.reviewing import TRUTH, number_step
from graphs.state import RunState
from graphs.tables import strings_of
from records.base import Record
from records.errors import DataError, PersonError, RunFolderError, SettingsError
from records.folder import RunFolder, file_sha256, read_record, write_json, written_whole
from records.outcome import PeopleAudit
from records.readers.importing import iterate_shards, rename_columns
from records.readers.values import as_text
from records.rows import ROW, ROW_ID, Answer
from records.settings import Settings
from records.task import TaskSpec
from specialists.audit import draw_order
from specialists.certificate import size_sample, state_bound

PEOPLE = 0
"""The number of this audit among the claims and the seeds; the others count from 1. A run has one at most."""

ID, LABEL = "id", "label"
"""The columns of the form, beside the texts, and of the answers."""


class DrawnRow(Record):
    """A row that was drawn: its number, the id by which people answer, and its label then."""

    row: int
    id: str
    label: Answer


class PeopleSample(Record):
    """`audit/people/sample.json`: what was fixed before people were asked.

    `labels`: the sha256 of the labels.parquet that it is of; `rows`: those that have a label, and `given` how many of
    these a person gave, none of which is drawn.
    """

    labels: str
    rows: int
    given: int
    drawn: tuple[DrawnRow, ...]


class PeopleAnswers(Record):
    """`audit/people/answers.json`: the labels that people gave to the rows of the sample, in its order."""

    labels: tuple[Answer | None, ...]


def _sample_file(folder: RunFolder) -> Path:
    return folder.audits / "people" / "sample.json"


def _answers_file(folder: RunFolder) -> Path:
    return folder.audits / "people" / "answers.json"


def is_answered(folder: RunFolder) -> bool:
    """Return whether people have given their answers: from then on the run learns nothing and reviews nothing more."""
    return _answers_file(folder).exists()


def check_unanswered(folder: RunFolder, change: str) -> None:
    """Raise SettingsError where people have audited the labels that the `change` is about to change."""
    if is_answered(folder):
        raise SettingsError(
            f"{change}: people have audited the labels of the run {folder.run_id}, which change no more",
            next_step="Start a new run; the file with the people's answers may be its --gold.",
        )


def draw_sample(folder: RunFolder, size: int | None = None) -> int:
    """Fix a uniform random sample of the labels that no person gave, write the form in which people give theirs
    (`review.csv`), and return how many rows it has. A sample that there is stays, and so does its form.

    `size` is that of an audit of fixed size by default. Raises RunFolderError where the run has not finished, or the
    form is of labels that have changed since, SettingsError after the answers, and PersonError for a size that cannot
    be had.
    """
    with folder.locked():
        _check_finished(folder)
        check_unanswered(folder, "review")
        sample = _read_sample(folder) or _draw(folder, size)
        if size not in (None, len(sample.drawn)):
            raise PersonError(
                f"--rows {size}: a sample of {len(sample.drawn)} rows is drawn, and stays",
                next_step="Leave --rows out.",
            )
        if not folder.review_form.exists():
            folder.write_manifest()
            _write_form(folder, sample)
        return len(sample.drawn)


def _check_finished(folder: RunFolder) -> None:
    if not folder.manifest.exists():
        raise RunFolderError(
            f"the run {folder.run_id} has not finished", next_step=f"autoannotator resume {folder.path}"
        )


def _read_sample(folder: RunFolder) -> PeopleSample | None:
    """Return the sample of the labels as they are, or that people have answered; None where none is drawn."""
    if not _sample_file(folder).exists():
        return None
    sample = read_record(_sample_file(folder), PeopleSample)
    return sample if is_answered(folder) or sample.labels == file_sha256(folder.labels) else None


def _draw(folder: RunFolder, size: int | None) -> PeopleSample:
    """Draw rows, each with the same chance, and write them down with their labels."""
    if folder.review_form.exists():
        raise RunFolderError(
            f"{folder.review_form} is of a sample whose labels have changed since", next_step="Move it away."
        )
    table = pq.read_table(folder.labels, columns=["label", "source", "copied_from"])
    labelled, own = np.asarray(pc.is_valid(table["label"])), np.asarray(pc.is_null(table["copied_from"]))
    given = labelled & own & np.array([one in TRUTH for one in table["source"].to_pylist()])
    places, rows = np.flatnonzero(labelled & ~given), int(labelled.sum())
    drawn = size_sample(rows, len(places)) if size is None else size
    if not 1 <= drawn <= len(places):
        raise PersonError(
            f"a sample of {drawn} rows cannot be drawn: {len(places):,} of the {rows:,} labels were given by no person",
            next_step=f"Say --rows with a number from 1 to {len(places)}." if len(places) else "None is left to audit.",
        )
    settings = read_record(folder.settings, Settings)
    numbers = np.sort(places[draw_order(len(places), make_seed(settings, PEOPLE))[:drawn]]).tolist()
    named = zip(numbers, _name_rows(folder, numbers), answers_of(table.take(pa.array(numbers)), "label"), strict=True)
    sample = PeopleSample(
        labels=file_sha256(folder.labels),
        rows=rows,
        given=int(given.sum()),
        drawn=tuple(DrawnRow(row=number, id=one, label=label) for number, one, label in named),
    )
    write_json(_sample_file(folder), sample)
    return sample


def _name_rows(folder: RunFolder, numbers: Sequence[int]) -> list[str]:
    """Return the rows' own ids, or, where two share one, their numbers in the file, from 0."""
    ids = strings_of(_read_rows(folder, numbers, [ROW_ID]), ROW_ID)
    return ids if len(set(ids)) == len(ids) else [str(number) for number in numbers]


def _read_rows(folder: RunFolder, numbers: Sequence[int], columns: Sequence[str]) -> pa.Table:
    """Return columns of some rows, in the input's order."""
    shard_size, rows = read_record(folder.settings, Settings).shard_size, pq.read_metadata(folder.input).num_rows
    parts = iterate_shards(folder.input, 0, rows, shard_size, columns=[ROW, *columns])
    return pa.concat_tables(part.filter(pc.is_in(part[ROW], pa.array(numbers, pa.int64()))) for part in parts)


def _write_form(folder: RunFolder, sample: PeopleSample) -> None:
    """Write the ids and texts of the rows and an empty column for their labels, and nothing that would lead a person.

    It begins with a byte order mark: spreadsheet programs take it for another encoding without.
    """
    columns = [rename_columns([name])[name] for name in read_record(folder.task, TaskSpec).text_columns]
    texts = _read_rows(folder, [one.row for one in sample.drawn], columns)
    shown = [f"input_{name}" if name.casefold() in (ID, LABEL) else name for name in columns]
    cells = zip([one.id for one in sample.drawn], *(texts[name].to_pylist() for name in columns), strict=True)
    with written_whole(folder.review_form) as temporary, temporary.open("w", encoding="utf-8-sig", newline="") as out:
        csv.writer(out).writerows([(ID, *shown, LABEL), *((*row, "") for row in cells)])


def take_answers(folder: RunFolder, path: Path) -> None:
    """Write down what people say of the sample. An empty cell is no answer.

    Raises PersonError where no sample is drawn or other answers were given before, RunFolderError where the run has
    not finished, and DataError where the file has not each row of the sample once, or has a label that is none.
    """
    with folder.locked():
        sample = _read_sample(folder)
        if sample is None:
            raise PersonError(
                f"no sample of the labels of the run {folder.run_id} is drawn, or they have changed since",
                next_step=f"autoannotator review {folder.path}",
            )
        answers = _read_answers(folder, path, [one.id for one in sample.drawn])
        if not is_answered(folder):
            _check_finished(folder)
            write_json(_answers_file(folder), answers)
        elif answers != read_record(_answers_file(folder), PeopleAnswers):
            raise PersonError(
                f"{path}: other answers were given for the run {folder.run_id} before, and its claim rests on them",
                next_step="Start a new run; this file may be its --gold.",
            )


def _read_answers(folder: RunFolder, path: Path, drawn: Sequence[str]) -> PeopleAnswers:
    task = read_record(folder.task, TaskSpec)
    with TemporaryDirectory() as scratch:
        names, table, given = read_labelled(path, Path(scratch, "answers.parquet"), task, shard_size=len(drawn))
    if ID not in names:
        raise DataError(
            str(path), f"it has no column {ID!r}: its columns are {', '.join(names.values())}",
            next_step=f"Give the rows of {folder.review_form} with their ids.",
        )  # fmt: skip
    ids = ["" if value is None else as_text(value) for value in table[names[ID]].to_pylist()]
    _check_ids(path, ids, drawn)
    said = match_labels(path, ids, given, task.model_copy(update={"gold_sample": None}))
    return PeopleAnswers(labels=tuple(said.get(one) for one in drawn))


def _check_ids(path: Path, ids: Sequence[str], drawn: Sequence[str]) -> None:
    """Raise DataError where the ids are not those of the drawn rows, each once."""
    left = dict.fromkeys(drawn)
    for number, one in enumerate(ids):
        if one not in left:
            raise DataError(
                str(path), f"row {number}: the id {one[:100]!r} is none of the sample's, or it stands there twice",
                next_step="Give the rows of review.csv, each once; a spreadsheet program must take their ids for text.",
            )  # fmt: skip
        del left[one]
    if left:
        raise DataError(
            str(path), f"{len(left)} of the {len(drawn)} rows of the sample are missing, the first with the id "
            f"{next(iter(left))!r}",
            next_step="Give every row of review.csv; leave the label empty where there is no answer.",
        )  # fmt: skip


def audit_people(context: RunContext, state: RunState) -> PeopleAudit | None:
    """Book the people's answers, each for its own row alone, and return what they show of all labels; None without.

    The sample is uniform over the labels that no person gave, and was drawn when these had changed for the last time.
    A row without an answer counts as different; one that takes the person's label differs no more.
    """
    folder, sample = context.folder, _read_sample(context.folder)
    if sample is None or not is_answered(folder):
        return None
    error = take_claim(folder, PEOPLE, "audit", context.settings.confidence)
    said = read_record(_answers_file(folder), PeopleAnswers).labels
    answers = {one.row: label for one, label in zip(sample.drawn, said, strict=True) if label is not None}
    book_rows(context, number_step(state["stages"], "risk"), answers, "human")
    differing = sum(answers.get(one.row, one.label) != one.label for one in sample.drawn)
    unanswered = len(said) - len(answers)
    statement = state_bound(
        rows=sample.rows,
        known=0,
        unreviewed=sample.rows - sample.given,
        drawn=len(said),
        wrong=differing + unanswered,
        mended=differing,
        error=error,
    )
    return certify_people(
        context.settings, statement, given=sample.given, audited=len(said), differing=differing, unanswered=unanswered
    )
