"""Puts the parts of a run together: which hub, sandbox, engine and agents its settings name."""

import functools
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from threading import Lock

from agents.locked import pin_team
from agents.reviewer import make_manner
from agents.target import Terms, describe_llm
from agents.team import make_team
from autoannotator import hubs
from graphs.context import RunContext
from graphs.engine import LocalEngine
from hub.client import HubClient
from hub.library import configured_endpoint
from hub.starter.build import starter_weight_hashes
from records.candidate import ModelsLock
from records.events import EndpointPaused, Event, Noticed, RunStarted, SandboxChosen
from records.folder import RunFolder, read_record, write_json
from records.ledger import Ledger
from records.lock_file import read_lock_file
from records.review_book import ReviewBook
from records.settings import Settings
from sandbox.base import Sandbox
from sandbox.choose import choose_sandbox
from sandbox.docker_engine import DockerOptions


@contextmanager
def open_context(folder: RunFolder, settings: Settings, show: Callable[[Event], None]) -> Iterator[RunContext]:
    """Yield what the nodes of a run work with; leaving ends every worker and server that it started.

    Raises SandboxError where the sandbox asked for is not available, SettingsError where the LLM is not known.
    """
    lock = Lock()

    def emit(event: Event) -> None:
        with lock:
            folder.append_event(event)
            show(event)

    with ExitStack() as stack:
        ledger, reviews = Ledger(folder.ledger), ReviewBook(folder.ledger)
        stack.callback(ledger.close)
        stack.callback(reviews.close)
        emit(RunStarted(run_id=folder.run_id, resumed=folder.checkpoints.exists()))
        sandbox = _choose_sandbox(folder, settings, emit)
        engine = LocalEngine(sandbox, threads=settings.threads, concurrency=settings.concurrency)
        stack.callback(engine.close)

        def tell_hub_pause(seconds: float, reason: str) -> None:
            emit(EndpointPaused(host=settings.hub or configured_endpoint(), seconds=seconds, reason=reason))

        @functools.cache
        def open_hub() -> HubClient:
            return stack.enter_context(
                hubs.open_hub(settings.hub, lambda message: emit(Noticed(message=message)), tell_hub_pause)
            )

        llm = describe_llm(settings.llm)

        def tell_pause(seconds: float, reason: str) -> None:
            emit(EndpointPaused(host=llm.host if llm else "", seconds=seconds, reason=reason))

        given = _keep_lock(folder, settings)
        team = make_team(
            settings.llm,
            ledger,
            manner=make_manner(settings),
            terms=make_terms(settings),
            select_threshold=settings.select_threshold,
            tell=tell_pause,
            notice=lambda message: emit(Noticed(message=message)),
        )
        yield RunContext(
            folder=folder,
            settings=settings,
            team=pin_team(team, given) if given else team,
            open_hub=open_hub,
            trusted_weights=starter_weight_hashes(),
            given_lock=given,
            sandbox=sandbox,
            engine=engine,
            ledger=ledger,
            reviews=reviews,
            emit=emit,
        )


def _keep_lock(folder: RunFolder, settings: Settings) -> ModelsLock | None:
    """Return the lock that the person gave; a copy is kept with the run, so that it can be resumed without the file."""
    if settings.lock is None:
        return None
    kept = folder.hub / "given.lock.json"
    if not kept.exists():
        write_json(kept, read_lock_file(Path(settings.lock)))
    return read_record(kept, ModelsLock)


def make_terms(settings: Settings) -> Terms:
    """Return the terms on which the settings let an endpoint be asked."""
    return Terms(
        concurrency=settings.llm_concurrency,
        requests_per_minute=settings.llm_requests_per_minute,
        tokens_per_minute=settings.llm_tokens_per_minute,
        timeout=settings.llm_timeout,
        patience=settings.llm_patience,
        price=settings.llm_price,
        budget=settings.budget,
        batch_api=settings.batch_api,
    )


def _choose_sandbox(folder: RunFolder, settings: Settings, emit: Callable[[Event], None]) -> Sandbox:
    """Return the sandbox that the settings name, and tell which it is and what it does not hold here."""
    options = DockerOptions(folder.run_id, settings.sandbox_runtime, settings.gpus)
    sandbox = choose_sandbox(settings.sandbox, options, lambda message: emit(Noticed(message=message)))
    emit(
        SandboxChosen(
            name=sandbox.name,
            image=sandbox.image,
            runtime=settings.sandbox_runtime,
            shortfalls=sandbox.shortfalls,
        )
    )
    return sandbox
