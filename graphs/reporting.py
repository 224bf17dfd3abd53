"""The end of a run: the labelled file, what it cost, what is certified, the report, and the manifest."""

import datetime
import shutil
from collections.abc import Iterator
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
from langgraph.runtime import Runtime

from graphs.audit_rows import read_final_labels
from graphs.context import RunContext
from graphs.costing import add_up_cost, describe_cost
from graphs.forecast_words import compare_forecast
from graphs.history import RunHistory, read_history
from graphs.jobs import read_auditions, read_candidates, read_lock, read_selections, read_steps
from graphs.label_scan import NO_LABEL, LabelScan, scan_labels
from graphs.state import RunState
from records.candidate import RowCost, repo_of
from records.events import RunFinished
from records.folder import RunFolder, read_record, write_json, write_text, written_whole
from records.outcome import Certificate, Cost, Forecast, PeopleAudit
from records.readers.importing import RESERVED, iterate_shards
from records.rows import LABEL_COLUMNS
from records.settings import Settings
from records.task import TaskSpec
from templates.renderer import render_report
from templates.report import DroppedModel, LabelCount, ReportData, ReportFile, ReportModel, ReportSearch

FILES = (
    ("labels.parquet", "every row of the input, in its order, with its label and where that came from"),
    ("report.html", "this page"),
    ("models.lock.json", "the specialists: repository, commit, hashes, label map, audition"),
    ("hub/", "every model seen: its facts, its score, why it was kept or dropped, and how it was found"),
    ("audition/", "the rows that the candidates were tried on, with the odds of each to be drawn, and how each did"),
    ("scripts/", "the generated scripts, their tests and the critic's verdicts"),
    ("votes/", "each specialist's label and probabilities for every row"),
    ("events.jsonl", "what happened, in its order"),
    ("forecast.json", "what the run was expected to take, told before its first stage"),
    ("cost.json", "what was asked of a language model, and what it cost"),
    ("certificate.json", "what is certified about the labels"),
    ("audit/", "what each audit fixed before its first draw, what it drew, how it ended, and every claim made"),
)


def report(state: RunState, runtime: Runtime[RunContext]) -> None:
    """Write labels.parquet, cost.json and report.html, and last the manifest."""
    context = runtime.context
    folder = context.folder
    _write_labels(context, state)
    write_json(folder.cost, add_up_cost(context, state["rows"], state["stages"]))
    context.emit(RunFinished(rows=state["rows"], unlabelled=state["unlabelled"]))
    write_text(folder.report, render_report(gather_report(folder)).text)
    if folder.scratch.exists():
        shutil.rmtree(folder.scratch)
    folder.write_manifest()


def _write_labels(context: RunContext, state: RunState) -> None:
    """Join the original columns with the labels, stage after stage; one stage is in memory at a time."""
    with written_whole(context.folder.labels) as temporary:
        writer: pq.ParquetWriter | None = None
        try:
            for table in _join_stages(context, state):
                writer = writer or pq.ParquetWriter(temporary, table.schema)
                writer.write_table(table)
        finally:
            if writer is not None:
                writer.close()


def _join_stages(context: RunContext, state: RunState) -> Iterator[pa.Table]:
    first = 0
    for stage in range(state["stages"]):
        labels = read_final_labels(context, state, stage).select(list(LABEL_COLUMNS))
        shards = iterate_shards(context.folder.input, first, len(labels), context.settings.shard_size)
        rows = pa.concat_tables(shards)
        first += len(labels)
        original = rows.select([name for name in rows.column_names if name not in RESERVED])
        schema = pa.schema([*original.schema, *labels.schema])
        yield pa.Table.from_arrays([*original.columns, *labels.columns], schema=schema)


def gather_report(folder: RunFolder) -> ReportData:
    """Return what the report shows of a run that has written its labels.

    Raises RunFolderError where a file of the run is missing.
    """
    settings, task = read_record(folder.settings, Settings), read_record(folder.task, TaskSpec)
    history, scan = read_history(folder), scan_labels(folder)
    certificate, cost = read_record(folder.certificate, Certificate), read_record(folder.cost, Cost)
    forecast = read_record(folder.forecast, Forecast) if folder.forecast.exists() else None
    offline = settings.llm == "offline"
    return ReportData(
        run_id=folder.run_id,
        created=datetime.datetime.now().astimezone().strftime("%d %B %Y, %H:%M"),
        sentence=task.sentence,
        labels=task.label_names,
        text_columns=task.text_columns,
        data=Path(settings.data).name,
        controller="offline: no language model" if offline else settings.llm,
        language_model=not offline,
        hub=read_lock(folder).hub,
        sandbox=", ".join(history.sandboxes),
        rows=scan.rows,
        unlabelled=scan.unlabelled,
        reviews_failed=scan.failed,
        reviews_undecided=scan.undecided,
        label_counts=_count_labels(task, scan),
        search=_describe_search(folder, history, forecast.reviewed if forecast else 0),
        models=_describe_models(folder, history, scan),
        dropped=_describe_dropped(folder, history),
        stages=history.tell_stages(),
        decisions=history.tell_decisions(),
        cost=describe_cost(cost),
        forecast=compare_forecast(forecast, history, cost, certificate) if forecast else None,
        certificate=certificate.statement,
        certificate_reason=certificate.reason,
        certificate_facts=_list_facts(certificate),
        people=certificate.people.statement if certificate.people else "",
        people_facts=_list_people_facts(certificate.people) if certificate.people else {},
        hardest=scan.hardest,
        notices=tuple(history.notices),
        settings={name: _as_words(value) for name, value in settings.model_dump(mode="json").items()},
        folder=str(folder.path),
        files=tuple(ReportFile(path=path, content=content) for path, content in FILES),
    )


def _count_labels(task: TaskSpec, scan: LabelScan) -> tuple[LabelCount, ...]:
    """Return the rows of each label; a row may have several, or none, where the task allows it."""
    shown = (*task.label_names, NO_LABEL) if task.kind == "multi_label" else task.label_names
    return tuple(LabelCount(label=label, rows=scan.counts[label]) for label in shown)


def _list_facts(certificate: Certificate) -> dict[str, str]:
    """Return the figures of a certificate in words; none where there was no audit."""
    if certificate.expert is None:
        return {}
    found = f"{certificate.differing:,} differed, {certificate.unanswered:,} got no answer"
    facts = {
        "rows with a text": f"{certificate.rows:,}",
        "reviewed, before and in the audit": f"{certificate.reviewed:,}",
        "drawn at random for the audit": f"{certificate.audited:,}: {found}",
        "reviewed beside, the riskiest": f"{certificate.widened:,}" if certificate.widened else "",
        "by Clopper and Pearson, for comparison": _tell_share(certificate.clopper_pearson),
    }
    return {name: value for name, value in facts.items() if value}


def _list_people_facts(people: PeopleAudit) -> dict[str, str]:
    """Return the figures of people's audit in words."""
    found = f"{people.differing:,} differed, {people.unanswered:,} got no answer"
    facts = {
        "rows with a label": f"{people.rows:,}",
        "labelled by a person before": f"{people.given:,}" if people.given else "",
        "drawn at random for people": f"{people.audited:,}: {found}",
        "by Clopper and Pearson, for comparison": _tell_share(people.clopper_pearson),
    }
    return {name: value for name, value in facts.items() if value}


def _tell_share(share: float | None) -> str:
    return "" if share is None else f"{100 * share:.1f} %"


def _describe_models(folder: RunFolder, history: RunHistory, scan: LabelScan) -> tuple[ReportModel, ...]:
    candidates = {one.repo_id: one for one in read_candidates(folder).values()}
    reasons = {one.repo_id: one.reason for one in read_selections(folder)}
    return tuple(
        ReportModel(
            name=one.repo_id,
            revision=one.revision,
            parameters=one.parameters or None,
            licence=candidates[one.repo_id].licence,
            reason=reasons[one.repo_id],
            audition=f"It {one.audition.reason}; {one.audition.label_map.reason}.",
            label_map=one.audition.label_map.status,
            cost=_price(one.audition.cost),
            agreement=scan.agreement(one.name),
            version=history.count_promotions(one.name),
            left_at=history.left[one.name].stage if one.name in history.left else None,
            left_because=history.left[one.name].reason if one.name in history.left else "",
        )
        for one in read_lock(folder).specialists
    )


def _price(cost: RowCost) -> str:
    """Return what a model costs on a row, in words."""
    measured = "" if cost.seconds is None else f"; {1000 * cost.seconds:,.1f} ms a row were measured here"
    return f"{cost.tokens:,.0f} tokens a row, {cost.memory / 1e6:,.0f} MB of weights{measured}"


def _describe_search(folder: RunFolder, history: RunHistory, reviewed: int) -> ReportSearch:
    lock, steps = read_lock(folder), read_steps(folder)
    truths = {"gold": "gold rows", "llm": "the language model", "human": "people", "consensus": "their own consensus"}
    auditions = read_auditions(folder)
    first = lock.specialists[0].audition
    return ReportSearch(
        seen=len(read_candidates(folder)),
        requests=sum(step.requests for step in steps),
        auditioned=len(auditions),
        rows=first.rows,
        truth=truths[first.truth],
        reviewed=reviewed,
        reason=history.ensemble,
    )


def _describe_dropped(folder: RunFolder, history: RunHistory) -> tuple[DroppedModel, ...]:
    reasons = {one.repo_id: one.reason for one in read_selections(folder) if not one.kept}
    reasons |= {repo_of(slug): why for slug, why in history.dropped.items()}
    return tuple(DroppedModel(name=name, reason=why) for name, why in reasons.items())


def _as_words(value: object) -> str:
    """Return a setting's value as a person would write it."""
    if isinstance(value, list):
        return ", ".join(str(one) for one in value)
    if isinstance(value, bool):
        return "yes" if value else "no"
    return "" if value is None else str(value)
