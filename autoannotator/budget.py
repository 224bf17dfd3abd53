"""A larger budget for a run that is under way."""

from collections.abc import Callable
from contextlib import closing

from agents.purse import check_spending, open_purse
from agents.target import describe_llm
from autoannotator.wiring import make_terms
from graphs.people import check_unanswered
from records.errors import SettingsError
from records.events import Event, Noticed
from records.folder import RunFolder, read_record, write_yaml
from records.ledger import Ledger
from records.outcome import Certificate
from records.settings import Settings


def change_budget(folder: RunFolder, budget: float, show: Callable[[Event], None]) -> None:
    """Let a run that is not finished, or that the budget ended, spend so many USD in all, what it has spent included.

    `settings.yaml` is written anew with it, so that it says what the run goes by; the events keep what it was before.
    Raises SettingsError where the run is finished, or people have audited it, where it is no more than what is spent,
    and where that or the price is not known; nothing has changed then.
    """
    check_unanswered(folder, f"--budget {budget:g}")
    if folder.manifest.exists() and not read_record(folder.certificate, Certificate).budget_reached:
        raise SettingsError(
            f"--budget {budget:g}: the run {folder.run_id} has finished, and spends no more",
            next_step="Leave --budget out, or start a new run.",
        )
    with folder.locked():
        before = read_record(folder.settings, Settings)
        settings = before.model_copy(update={"budget": budget})
        with closing(Ledger(folder.ledger)) as ledger:
            spent = check_spending(ledger, budget)
            if (target := describe_llm(settings.llm)) is not None:
                open_purse(target, ledger, make_terms(settings))
        folder.manifest.unlink(missing_ok=True)  # it goes on: it is not finished from here on
        write_yaml(folder.settings, settings)
        had = "none" if before.budget is None else f"{before.budget:g} USD"
        event = Noticed(message=f"the budget is {budget:g} USD now, of which {spent:.4f} are spent; before: {had}")
        folder.append_event(event)
    show(event)
