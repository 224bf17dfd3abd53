"""`models.lock.json` as a person gives it back with `--lock`: from their hands, so every mistake is named."""

from pathlib import Path

from pydantic import ValidationError

from records.candidate import ModelsLock
from records.errors import SettingsError


def read_lock_file(path: Path) -> ModelsLock:
    """Return a lock that a person gives. Raises SettingsError that names every mistake with its place in the file."""
    next_step = "Give --lock the models.lock.json of a run of this version, as it was written."
    try:
        return ModelsLock.model_validate_json(path.read_bytes())
    except OSError as error:
        raise SettingsError(f"{path} cannot be read: {error.strerror}", next_step=next_step) from error
    except ValidationError as error:
        places = [(".".join(map(str, one["loc"])), one["msg"]) for one in error.errors(include_input=False)]
        mistakes = "\n".join(f"{path}: {place}: {told}" if place else f"{path}: {told}" for place, told in places)
        raise SettingsError(mistakes, next_step=next_step) from error
