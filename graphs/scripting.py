"""Write, test, criticise and repair the scripts of the shortlisted models; a broken candidate is dropped."""

import difflib
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Literal

from langgraph.runtime import Runtime
from langgraph.types import Command

from agents.base import Failure, ScriptParts, Verdict
from graphs.context import RunContext
from graphs.jobs import Attempt, Job, candidate_job, check_sandbox, read_candidates, refuse_selected
from graphs.state import RunState, ScriptState, Update
from graphs.tables import read_first_texts
from records.base import Record
from records.candidate import Candidate
from records.errors import ModelError, NoSpecialistsError
from records.events import CandidateDropped, ScriptTested
from records.folder import read_record, write_json, write_text, written_whole
from sandbox.base import Cause, Limits, RunResult, RunSpec
from templates.renderer import Example, Rendered, render_annotate, render_finetune, render_test

TEST_SECONDS = 300.0
KEPT_OUTPUT = 2000
"""Characters of a test's output that are kept from its start and from its end."""
TEST_ROWS = 8
"""Rows of the task that every script is tested on."""


class TestResult(Record):
    """`test_result.json`: how the generated test of an attempt ended."""

    version: Literal[1] = 1
    cause: Cause
    sandbox: str
    output: str

    @property
    def passed(self) -> bool:
        return self.cause == "ok"


def write_scripts(state: RunState, runtime: Runtime[RunContext]) -> Update:
    """Write the first attempt for every shortlisted model."""
    return {"scripts": _write_attempts(runtime.context, state["scripts"])}


def repair_scripts(state: RunState, runtime: Runtime[RunContext]) -> Update:
    """Write one more attempt for every model whose last one was refused."""
    scripts = {
        slug: ScriptState(attempt=one["attempt"] + 1, status="written") if one["status"] == "refused" else one
        for slug, one in state["scripts"].items()
    }
    return {"scripts": _write_attempts(runtime.context, scripts)}


def _write_attempts(context: RunContext, scripts: dict[str, ScriptState]) -> dict[str, ScriptState]:
    candidates = read_candidates(context.folder)
    result = dict(scripts)
    for slug, one in scripts.items():
        if one["status"] != "written" or context.folder.attempt(slug, one["attempt"]).exists():
            continue
        failures = [_read_failure(context, slug, number) for number in range(1, one["attempt"])]
        try:
            parts = context.team.coder.write_parts(context.read_task(), candidates[slug], failures)
        except ModelError as error:
            result[slug] = _drop(context, slug, one, error.what)
            continue
        if parts is None:
            result[slug] = _drop(context, slug, one, "no script could be written that passes")
        else:
            _write_attempt(context, slug, one["attempt"], parts)
    return result


def _drop(context: RunContext, slug: str, one: ScriptState, reason: str) -> ScriptState:
    context.emit(CandidateDropped(model=slug, reason=reason))
    return ScriptState(attempt=one["attempt"], status="dropped")


def _write_attempt(context: RunContext, slug: str, number: int, parts: ScriptParts) -> None:
    task = context.read_task()
    examples = [Example(text=label.example, label=label.name) for label in task.labels if label.example]
    examples += [Example(text=text) for text in read_first_texts(context.folder, TEST_ROWS)]
    classes, preprocess, read_logits = parts.label_map.classes, parts.preprocess, parts.read_logits
    rendered: dict[str, Rendered] = {
        "annotate.py": render_annotate(classes, preprocess=preprocess, read_logits=read_logits),
        "finetune.py": render_finetune(classes, preprocess=preprocess, read_logits=read_logits),
        "test_annotate.py": render_test(examples),
    }
    made = Attempt(
        parts=parts,
        examples=tuple(examples),
        template_hashes={name: one.template_hash for name, one in rendered.items()},
    )
    with written_whole(context.folder.attempt(slug, number)) as folder:
        folder.mkdir()
        for name, one in rendered.items():
            (folder / name).write_text(one.text, encoding="utf-8")
        write_json(folder / "attempt.json", made)
        if parts.reply:
            write_text(folder / "prompt.md", parts.prompt)
            write_text(folder / "reply.md", parts.reply)
        if number > 1:
            write_text(folder / "parent.diff", _diff(context.folder.attempt(slug, number - 1), rendered))


def _diff(parent: Path, rendered: dict[str, Rendered]) -> str:
    lines: list[str] = []
    for name, one in rendered.items():
        before = (parent / name).read_text(encoding="utf-8").splitlines(keepends=True)
        lines += difflib.unified_diff(before, one.text.splitlines(keepends=True), f"parent/{name}", name)
    return "".join(lines)


def test_scripts(state: RunState, runtime: Runtime[RunContext]) -> Update:
    """Run the generated test of every new script in the sandbox, on the real model; one that may not be loaded is
    dropped.

    Raises SandboxRefusedError where a script or a weight is not this package's own and nothing contains it.
    """
    context = runtime.context
    scripts = dict(state["scripts"])
    jobs: list[Job] = []
    for slug, one in state["scripts"].items():
        if one["status"] != "written":
            continue
        try:
            jobs.append(candidate_job(context, slug, context.folder.attempt(slug, one["attempt"])))
            scripts[slug] = ScriptState(attempt=one["attempt"], status="tested")
        except ModelError as error:
            refuse_selected(context.folder, slug, error.what)
            scripts[slug] = _drop(context, slug, one, error.what)
    with ThreadPoolExecutor(max_workers=context.settings.concurrency) as pool:
        list(pool.map(lambda job: _test_script(context, job), jobs))
    return {"scripts": scripts}


def _test_script(context: RunContext, job: Job) -> None:
    target = job.scripts / "test_result.json"
    if target.exists():
        return
    alone = ("--disable-plugin-autoload", "-p", "no:cacheprovider", "-c", "/dev/null", "--rootdir", "in/scripts")
    spec = RunSpec(
        argv=("python", "-B", "-m", "pytest", "-q", *alone, "in/scripts/test_annotate.py"),
        inputs={"scripts": job.scripts, "model": job.model, "labels.json": job.labels},
        limits=Limits(seconds=TEST_SECONDS, threads=context.settings.threads),
        trusted=job.trusted,
    )
    result = context.sandbox.run(spec)
    check_sandbox(context, result, f"while testing {job.name}")
    write_json(target, TestResult(cause=result.cause, sandbox=context.sandbox.name, output=_shorten(result)))


def _shorten(result: RunResult) -> str:
    """Return the first and the last KEPT_OUTPUT characters of what a program printed."""
    output = "\n".join(part for part in (result.detail, result.stdout, result.stderr) if part)
    if len(output) <= 2 * KEPT_OUTPUT:
        return output
    return f"{output[:KEPT_OUTPUT]}\n[…]\n{output[-KEPT_OUTPUT:]}"


def criticise_scripts(state: RunState, runtime: Runtime[RunContext]) -> Command[Literal["repair_scripts", "audition"]]:
    """Have the critic judge every tested script; refused ones go to repair while attempts are left.

    Raises NoSpecialistsError where no script is left.
    """
    context = runtime.context
    candidates = read_candidates(context.folder)
    scripts = {
        slug: _judge(context, candidates[slug], one) if one["status"] == "tested" else one
        for slug, one in state["scripts"].items()
    }
    if any(one["status"] == "refused" for one in scripts.values()):
        return Command(goto="repair_scripts", update={"scripts": scripts})
    if not any(one["status"] == "accepted" for one in scripts.values()):
        raise NoSpecialistsError(
            f"no script passed its test for any of the models {', '.join(scripts)}",
            next_step=f"See the attempts in {context.folder.path / 'scripts'}.",
        )
    return Command(goto="audition", update={"scripts": scripts})


def _judge(context: RunContext, candidate: Candidate, one: ScriptState) -> ScriptState:
    attempt = context.folder.attempt(candidate.slug, one["attempt"])
    result = read_record(attempt / "test_result.json", TestResult)
    script = (attempt / "annotate.py").read_text(encoding="utf-8")
    parts = read_record(attempt / "attempt.json", Attempt).parts
    try:
        verdict = context.team.critic.criticise(
            context.read_task(), candidate, parts, script, passed=result.passed, output=result.output
        )
    except ModelError as error:
        return _drop(context, candidate.slug, one, error.what)
    write_json(attempt / "verdict.json", verdict)
    context.emit(
        ScriptTested(
            model=candidate.slug,
            attempt=one["attempt"],
            passed=result.passed,
            critic="approved" if verdict.approved else "; ".join(verdict.reasons),
            sandbox=result.sandbox,
        )
    )
    if verdict.approved:
        return ScriptState(attempt=one["attempt"], status="accepted")
    if one["attempt"] >= context.settings.repair_attempts:
        return _drop(context, candidate.slug, one, f"refused {one['attempt']} times: {'; '.join(verdict.reasons)}")
    return ScriptState(attempt=one["attempt"], status="refused")


def _read_failure(context: RunContext, slug: str, number: int) -> Failure:
    attempt = context.folder.attempt(slug, number)
    return Failure(
        parts=read_record(attempt / "attempt.json", Attempt).parts,
        output=read_record(attempt / "test_result.json", TestResult).output,
        reasons=read_record(attempt / "verdict.json", Verdict).reasons,
    )
