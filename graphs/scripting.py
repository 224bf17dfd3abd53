"""Write, test, criticise and repair the scripts of the shortlisted models; a broken candidate is dropped."""

from collections.abc import Iterable
from concurrent.futures import ThreadPoolExecutor
from typing import Literal

from langgraph.runtime import Runtime
from langgraph.types import Command

from agents.base import ModelCases, ScriptParts, Verdict
from agents.coder import find_map_faults, propose_default_parts
from agents.critic import check_by_rule
from agents.prompting import shorten
from agents.repair import choose_next, clean_output, cut_output, find_errors, sign_failure
from graphs.attempts import (
    Attempt,
    TestResult,
    find_same,
    gather_rows,
    read_attempt,
    read_failure,
    read_result,
    render_script,
    write_attempt,
)
from graphs.context import RunContext
from graphs.fetching import have_jobs, leave_out
from graphs.jobs import Job, candidate_job, check_sandbox, read_candidates
from graphs.state import RunState, ScriptState, Update
from records.candidate import Candidate
from records.errors import ModelError, NoSpecialistsError
from records.events import CandidateDropped, Noticed, ScriptTested
from records.folder import write_json
from sandbox.base import Limits, RunSpec

TEST_SECONDS = 300.0


def write_scripts(state: RunState, runtime: Runtime[RunContext]) -> Update:
    """Write the first attempt for every shortlisted model."""
    return {"scripts": _write_attempts(runtime.context, state["scripts"])}


def repair_scripts(state: RunState, runtime: Runtime[RunContext]) -> Update:
    """Write one more attempt for every model whose last one was refused."""
    scripts = {
        slug: ScriptState(attempt=one["attempt"] + 1, fallback=one["fallback"], status="written")
        if one["status"] == "refused"
        else one
        for slug, one in state["scripts"].items()
    }
    return {"scripts": _write_attempts(runtime.context, scripts)}


def _write_attempts(context: RunContext, scripts: dict[str, ScriptState]) -> dict[str, ScriptState]:
    candidates = read_candidates(context.folder)
    return {
        slug: _write_next(context, candidates[slug], one) if one["status"] == "written" else one
        for slug, one in scripts.items()
    }


def _write_next(context: RunContext, candidate: Candidate, one: ScriptState) -> ScriptState:
    """Write the attempt that is due: the coder's, else the unmodified template; a model that has neither is dropped."""
    slug, number = candidate.slug, one["attempt"]
    if context.folder.attempt(slug, number).exists():
        return ScriptState(attempt=number, fallback=read_attempt(context, slug, number).fallback, status="written")
    parts, why = (None, "") if one["fallback"] else _ask_coder(context, candidate, number)
    if parts is not None:
        _write(context, candidate, number, parts, fallback=False)
        return ScriptState(attempt=number, fallback=False, status="written")
    default = _find_fallback(context, candidate, number)
    if default is None:
        return _drop(context, slug, one, _tell_end(context, slug, number - 1, why))
    if why:
        context.emit(Noticed(message=_fold(f"{candidate.repo_id}: {why}; the template is tried as it is")))
    _write(context, candidate, number, default, fallback=True)
    return ScriptState(attempt=number, fallback=True, status="written")


def _ask_coder(context: RunContext, candidate: Candidate, number: int) -> tuple[ScriptParts | None, str]:
    """Return what the coder writes, or None with the reason why there is nothing new to test."""
    failures = [read_failure(context, candidate.slug, earlier) for earlier in range(1, number)]
    try:
        parts = context.team.coder.write_parts(context.read_task(), candidate, failures)
    except ModelError as error:
        return None, error.what
    if parts is None:
        return None, "" if failures else "its classes cannot be read as labels of the task"
    same = find_same(context, candidate.slug, parts, number)
    return (parts, "") if same is None else (None, f"the coder wrote its attempt {same} once more")


def _find_fallback(context: RunContext, candidate: Candidate, number: int) -> ScriptParts | None:
    """Return the template as it is, with the last label map that fits it, else the one by rule; None where there is
    no such map, where that very script was tried, and where a lock pins the script."""
    if context.given_lock is not None:
        return None
    task = context.read_task()
    earlier = [read_attempt(context, candidate.slug, n).parts.label_map for n in range(number - 1, 0, -1)]
    written = [ScriptParts(label_map=one, reason=one.reason) for one in earlier]
    fitting = [parts for parts in written if not find_map_faults(task, candidate, parts)]
    parts = fitting[0] if fitting else propose_default_parts(task, candidate)
    if parts is None or find_same(context, candidate.slug, parts, number) is not None:
        return None
    return parts


def _write(context: RunContext, candidate: Candidate, number: int, parts: ScriptParts, *, fallback: bool) -> None:
    """Write an attempt; the test writer is asked at a model's first one, and its rows serve all of them."""
    task = context.read_task()
    if number == 1:
        cases = _ask_test_writer(context, candidate)
        rows = gather_rows(context, task, cases, guessed=parts.label_map.guessed)
        prompt_hash = cases.prompt_hash
    else:
        first = read_attempt(context, candidate.slug, 1)
        cases, rows, prompt_hash = None, first.rows, first.cases_prompt_hash
    attempt = Attempt(parts=parts, fallback=fallback, rows=rows, cases_prompt_hash=prompt_hash, template_hashes={})
    write_attempt(context, candidate.slug, number, attempt, cases)


def _ask_test_writer(context: RunContext, candidate: Candidate) -> ModelCases:
    try:
        return context.team.test_writer.write_cases(context.read_task(), candidate)
    except ModelError as error:
        told = f"{candidate.repo_id} is tested on the template's own rows only: {error.what}"
        context.emit(Noticed(message=_fold(told)))
        return ModelCases()


def _tell_end(context: RunContext, slug: str, attempts: int, why: str) -> str:
    """Return in a person's words why a candidate has no script: how many were tried, and what failed last."""
    if attempts == 0:
        return f"no script could be written: {why}"
    last = read_failure(context, slug, attempts)
    counted = f"{attempts} scripts were refused, the last" if attempts > 1 else "its script was refused"
    return f"{counted}: {'; '.join(last.reasons)}" + (f"; then {why}" if why else "")


def _tell_dropped(context: RunContext, slugs: Iterable[str]) -> str:
    """Return models, each with the reason why it was dropped."""
    events = context.folder.read_events()
    reasons = {event.model: event.reason for event in events if isinstance(event, CandidateDropped)}
    return "; ".join(f"{slug} ({shorten(reasons[slug], 300)})" for slug in slugs)


def _drop(context: RunContext, slug: str, one: ScriptState, reason: str) -> ScriptState:
    context.emit(CandidateDropped(model=slug, reason=_fold(reason)))
    return ScriptState(attempt=one["attempt"], fallback=one["fallback"], status="dropped")


def _fold(text: str) -> str:
    """Return a text in one line, as a person is shown it: a critic's reason and an error may have several."""
    return " ".join(text.split())


def test_scripts(state: RunState, runtime: Runtime[RunContext]) -> Update:
    """Run the generated test of every new script in the sandbox, on the real model; one that is gone meanwhile is
    dropped.

    Raises SandboxRefusedError where a script or a weight is not this package's own and nothing contains it.
    """
    context = runtime.context
    scripts = dict(state["scripts"])
    written = {slug: one for slug, one in state["scripts"].items() if one["status"] == "written"}
    jobs, gone = have_jobs(
        context,
        written,
        lambda slug: candidate_job(context, slug, context.folder.attempt(slug, written[slug]["attempt"])),
        others=any(one["status"] == "accepted" for one in scripts.values()),
    )
    leave_out(context, gone)
    for slug, one in written.items():
        status = "dropped" if slug in gone else "tested"
        scripts[slug] = ScriptState(attempt=one["attempt"], fallback=one["fallback"], status=status)
    with ThreadPoolExecutor(max_workers=context.settings.concurrency) as pool:
        list(pool.map(lambda job: _test_script(context, job), jobs))
    return {"scripts": scripts}


def _test_script(context: RunContext, job: Job) -> None:
    target = job.scripts / "test_result.json"
    if target.exists():
        return
    alone = ("--disable-plugin-autoload", "-p", "no:cacheprovider", "-c", "/dev/null", "--rootdir", "in/scripts")
    brief = ("-q", "--tb=short", "--maxfail=3")
    spec = RunSpec(
        argv=("python", "-B", "-m", "pytest", *brief, *alone, "in/scripts/test_annotate.py"),
        inputs={"scripts": job.scripts, "model": job.model, "labels.json": job.labels},
        limits=Limits(seconds=TEST_SECONDS, threads=context.settings.threads),
        trusted=job.trusted,
    )
    result = context.sandbox.run(spec)
    check_sandbox(context, result, f"while testing {job.name}")
    output = clean_output("\n".join(part for part in (result.detail, result.stdout, result.stderr) if part))
    errors = () if result.cause == "ok" else find_errors(output)
    write_json(
        target,
        TestResult(cause=result.cause, sandbox=context.sandbox.name, output=cut_output(output), errors=errors),
    )


def test_corrected(context: RunContext, slug: str, number: int) -> str:
    """Test an attempt whose label map the audition corrected and judge it by rule; return why it is refused, or "".

    No critic is asked: nothing in it but the map is new, and of that the rows of the task have spoken.
    """
    _test_script(context, candidate_job(context, slug, context.folder.attempt(slug, number)))
    result, parts = read_result(context, slug, number), read_attempt(context, slug, number).parts
    candidate = read_candidates(context.folder)[slug]
    script = (context.folder.attempt(slug, number) / "annotate.py").read_text(encoding="utf-8")
    verdict = check_by_rule(context.read_task(), candidate, parts, script, passed=result.passed, output=result.output)
    write_json(context.folder.attempt(slug, number) / "verdict.json", verdict)
    return "" if verdict.approved else f"its script with that map was refused: {_fold('; '.join(verdict.reasons))}"


def criticise_scripts(state: RunState, runtime: Runtime[RunContext]) -> Command[Literal["repair_scripts", "audition"]]:
    """Have the critic judge every tested script; refused ones go to repair, and at last to the unmodified template.

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
            f"no script was accepted for any of the models: {_tell_dropped(context, scripts)}",
            next_step=f"See the attempts in {context.folder.path / 'scripts'}.",
        )
    return Command(goto="audition", update={"scripts": scripts})


def _judge(context: RunContext, candidate: Candidate, one: ScriptState) -> ScriptState:
    slug, number = candidate.slug, one["attempt"]
    result = read_result(context, slug, number)
    verdict, problem = _ask_critic(context, candidate, number, result)
    write_json(context.folder.attempt(slug, number) / "verdict.json", verdict)
    approved = "approved by the checks alone" if problem else "approved"
    context.emit(
        ScriptTested(
            model=slug,
            attempt=number,
            fallback=one["fallback"],
            passed=result.passed,
            critic=approved if verdict.approved else _fold("; ".join(verdict.reasons)),
            sandbox=result.sandbox,
        )
    )
    if verdict.approved:
        if problem:
            told = f"{candidate.repo_id}: no critic judged its script, the template as it is, which passed every check"
            context.emit(Noticed(message=_fold(f"{told}: {problem}")))
        return ScriptState(attempt=number, fallback=one["fallback"], status="accepted")
    following = _choose_next(context, slug, one)
    if following == "drop":
        return _drop(context, slug, one, _tell_end(context, slug, number, ""))
    # What no critic could judge, no coder can mend.
    return ScriptState(attempt=number, fallback=following == "fall back" or bool(problem), status="refused")


def _ask_critic(context: RunContext, candidate: Candidate, number: int, result: TestResult) -> tuple[Verdict, str]:
    """Return the critic's verdict on an attempt, and why it could give none: then only the checks judge the template
    as it is, and any other script is refused."""
    script = (context.folder.attempt(candidate.slug, number) / "annotate.py").read_text(encoding="utf-8")
    task, parts = context.read_task(), read_attempt(context, candidate.slug, number).parts
    tested = {"passed": result.passed, "output": result.output}
    try:
        return context.team.critic.criticise(task, candidate, parts, script, **tested), ""
    except ModelError as error:
        if script == render_script(ScriptParts(label_map=parts.label_map)):
            return check_by_rule(task, candidate, parts, script, **tested), error.what
        return Verdict(approved=False, reasons=(error.what,)), error.what


def _choose_next(context: RunContext, slug: str, one: ScriptState) -> Literal["repair", "fall back", "drop"]:
    signatures: list[tuple[str, ...]] = []
    for number in range(1, one["attempt"] + 1):
        reasons = read_failure(context, slug, number).reasons
        signatures.append(sign_failure(read_result(context, slug, number).errors, reasons))
    return choose_next(signatures, context.settings.repair_attempts, fallback=one["fallback"])
