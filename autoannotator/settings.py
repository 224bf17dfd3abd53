"""Resolves what a person asked for into the settings of a run; all mistakes are reported at once."""

import difflib
import os
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from pydantic import ValidationError
from pydantic_core import ErrorDetails

from records.errors import NotYetError, SettingsError
from records.settings import Settings

LLM_VARIABLE = "AUTOANNOTATOR_LLM"
NOT_YET_OPTIONS = (
    "--gold", "--reviewer", "--max-params", "--licence", "--language",
    "--lock", "--train-from-base", "--vote", "--rule", "--engine", "--target-error", "--confidence", "--budget",
    "--worth", "--batch-api",
)  # fmt: skip
"""Options of the design that a later version brings."""
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
    if "@" in urlsplit(str(known.get("hub", ""))).netloc:
        raise SettingsError(
            "--hub holds a name or a password, and it would be written down with the run",
            next_step="Give the address without them; a token comes from HF_TOKEN.",
        )
    known.setdefault("llm", os.environ.get(LLM_VARIABLE, "offline"))
    cores = len(os.sched_getaffinity(0))
    known.setdefault("concurrency", max(1, min(cores, 2)))
    known.setdefault("threads", max(1, cores // known["concurrency"]) if isinstance(known["concurrency"], int) else 1)
    known.setdefault("dtype", "bfloat16" if has_bfloat16() else "float32")
    if isinstance(known.get("data"), str | Path):
        known["data"] = str(Path(known["data"]).absolute())
    try:
        return Settings(**known)
    except ValidationError as error:
        raise SettingsError(
            "\n".join(_describe_mistake(one) for one in error.errors()),
            next_step="See `autoannotator run --help`.",
        ) from error


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
    return f"--{name.replace('_', '-')} {error['input']!r}: {error['msg']}"
