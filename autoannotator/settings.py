"""Resolves what a person asked for into the settings of a run; all mistakes are reported at once."""

import difflib
import os
from collections.abc import Collection, Mapping
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from pydantic import ValidationError
from pydantic_core import ErrorDetails

from agents.languages import CODES, NAMES, read_language
from hub.licences import LICENCES, TAG, read_licence
from records.errors import NotYetError, SettingsError
from records.lock_file import read_lock_file
from records.settings import Settings
from records.task_file import read_task_file

LLM_VARIABLE = "AUTOANNOTATOR_LLM"
NOT_YET_OPTIONS = (
    "--reviewer", "--train-from-base", "--engine",
)  # fmt: skip
"""Options of the design that a later version brings."""
_OPTIONS = {"task": "TASK", "task_file": "--task"}
"""Settings that the command line calls otherwise than by their names."""
BF16_FLAGS = frozenset({"amx_bf16", "avx512_bf16", "bf16"})
"""What Linux calls the bfloat16 instructions of x86-64 and arm64 processors."""


def resolve_settings(given: dict[str, Any]) -> Settings:
    """Return the settings; what is not given takes its default, or what this machine and its environment say.

    Raises SettingsError that names every mistake, and NotYetError for what is planned and not built yet.
    """
    known = {name: value for name, value in given.items() if value is not None}
    for name in known:
        if f"--{name.replace('_', '-')}" in NOT_YET_OPTIONS:
            raise NotYetError(f"{name} does not work yet in this version", next_step="Leave it out.")
    _check_address(str(known.get("hub", "")))
    known.setdefault("llm", os.environ.get(LLM_VARIABLE, "offline"))
    cores = len(os.sched_getaffinity(0))
    known.setdefault("concurrency", max(1, min(cores, 2)))
    known.setdefault("threads", max(1, cores // known["concurrency"]) if isinstance(known["concurrency"], int) else 1)
    known.setdefault("dtype", "bfloat16" if has_bfloat16() else "float32")
    if "task_file" in known:
        known = _read_task(known)
    elif "task" not in known:
        raise SettingsError(
            "nothing says what to do", next_step="Give the task in one sentence, or a task.yaml: --task FILE."
        )
    for name in ("data", "gold", "lock"):
        if isinstance(known.get(name), str | Path):
            known[name] = str(Path(known[name]).absolute())
    known |= _read_filters(known)
    if "lock" in known:
        read_lock_file(Path(known["lock"]))
    return _validate(known, "run")


def change_settings(settings: Settings, **changed: Any) -> Settings:  # noqa: ANN401 (a setting's value)
    """Return the settings of a run that is resumed with other ones. Raises SettingsError that names every mistake."""
    return _validate({**settings.model_dump(), **changed}, "resume")


def _validate(known: dict[str, Any], command: str) -> Settings:
    try:
        return Settings(**known)
    except ValidationError as error:
        raise SettingsError(
            "\n".join(_describe_mistake(one) for one in error.errors()),
            next_step=f"See `autoannotator {command} --help`.",
        ) from error


def _check_address(hub: str) -> None:
    """Raise SettingsError for a Hub's address that is none, or that holds a secret."""
    try:
        netloc = urlsplit(hub).netloc
    except ValueError as error:
        raise SettingsError(f"--hub {hub} is no address: {error}", next_step="Give a URL, or starter.") from error
    if "@" in netloc:
        raise SettingsError(
            "--hub holds a name or a password, and it would be written down with the run",
            next_step="Give the address without them; a token comes from HF_TOKEN.",
        )


def _read_filters(known: Mapping[str, Any]) -> dict[str, tuple[str, ...]]:
    """Return the languages and licences asked for, as the Hub writes them. Raises SettingsError for unknown ones."""
    asked = {name: value for name, value in known.items() if isinstance(value, list | tuple)}
    languages = [(said, read_language(said)) for said in map(str, asked.get("language", ()))]
    licences = [(said, read_licence(said)) for said in map(str, asked.get("licence", ()))]
    mistakes = [
        *(
            _tell_unknown("language", said, {*NAMES, *CODES, "multilingual"})
            for said, code in languages
            if code is None
        ),
        *(_tell_unknown("licence", said, LICENCES) for said, name in licences if name is None),
    ]
    if mistakes:
        raise SettingsError(
            "\n".join(mistakes),
            next_step="A language is a name or a code of ISO 639, as de, pt-BR or multilingual; a licence is an "
            f"identifier of the Hub, as mit or apache-2.0 ({TAG}NAME takes one that this version does not know).",
        )
    read = {"language": languages, "licence": licences}
    return {name: tuple(value for _, value in found if value) for name, found in read.items() if found}


def _tell_unknown(option: str, said: str, known: Collection[str]) -> str:
    near = difflib.get_close_matches(said.casefold(), sorted(known), n=3, cutoff=0.5)
    return f"--{option} {said!r} is not known" + (f"; the nearest are {', '.join(near)}" if near else "")


def _read_task(known: dict[str, Any]) -> dict[str, Any]:
    """Return the settings with the sentence of the task file where none was given.

    Raises SettingsError for what is wrong in the file, and where other options say otherwise.
    """
    path = Path(known["task_file"]).absolute()
    task = read_task_file(path)
    stated = {"labels": task.label_names, "text": task.text_columns}
    mistakes = [
        f"--{name} {', '.join(map(str, known[name]))} contradicts {path}, which says {', '.join(said)}"
        for name, said in stated.items()
        if known.get(name) and tuple(known[name]) != said
    ]
    if mistakes:
        raise SettingsError("\n".join(mistakes), next_step="Change the file, or leave the option out.")
    return {"task": task.sentence, **known, "task_file": str(path)}


def has_bfloat16() -> bool:
    """Return whether this processor has bfloat16 instructions (Linux says so in /proc/cpuinfo)."""
    try:
        lines = Path("/proc/cpuinfo").read_text(encoding="utf-8").splitlines()
    except OSError:
        return False
    return any(BF16_FLAGS & set(line.split()) for line in lines if line.startswith(("flags", "Features")))


def _describe_mistake(error: ErrorDetails) -> str:
    name = str(error["loc"][0]) if error["loc"] else "settings"
    if error["type"] == "extra_forbidden":
        close = difflib.get_close_matches(name, Settings.model_fields, n=1)
        return f"{name} is no setting" + (f"; did you mean {close[0]}?" if close else "")
    return f"{_OPTIONS.get(name) or '--' + name.replace('_', '-')} {error['input']!r}: {error['msg']}"
