"""Reads what language models reply: past their thinking, their fences and their prose."""

import json
import re
from collections.abc import Callable
from typing import Any, TypeVar

from pydantic import BaseModel, ValidationError

M = TypeVar("M", bound=BaseModel)

_THINKING = re.compile(r"<(think|thinking|reasoning)>.*?(?:</\1>|\Z)", re.DOTALL | re.IGNORECASE)
_END_OF_THINKING = re.compile(r"\A.*</(?:think|thinking|reasoning)>", re.DOTALL | re.IGNORECASE)
_FENCE = re.compile(r"^[ \t]*```[ \t]*([\w+-]*)[^\n]*\n(.*?)^[ \t]*```", re.DOTALL | re.MULTILINE)


def strip_thinking(reply: str) -> str:
    """Return a reply without its think blocks, also where only the closing tag was sent or it never closes."""
    return _END_OF_THINKING.sub("", _THINKING.sub("", reply)).strip()


def find_fences(reply: str, language: str) -> tuple[str, ...]:
    """Return the contents of the fenced blocks of a language, in their order."""
    return tuple(body for name, body in _FENCE.findall(reply) if name.casefold() == language)


def read_json(kind: type[M], check: Callable[[M], str | None] | None = None) -> Callable[[str], M]:
    """Return a reader of replies that hold one JSON object of this kind; `check` returns what else is wrong with it.

    The reader raises ValueError, in words that a model can act on.
    """

    def read(reply: str) -> M:
        try:
            value = kind.model_validate(_find_object(reply))
        except ValidationError as error:
            raise ValueError(_describe(error)) from error
        if check is not None and (problem := check(value)) is not None:
            raise ValueError(problem)
        return value

    return read


class _DoubledKeyError(ValueError):
    """An object says two things under one name: neither is its answer."""


def _refuse_doubles(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    found = dict(pairs)
    if len(found) < len(pairs):
        raise _DoubledKeyError(
            f"An object of the reply has a name twice; its names: {', '.join(n for n, _ in pairs)[:200]}"
        )
    return found


def _find_object(reply: str) -> dict[str, Any]:
    """Return the first JSON object of a reply: in a fenced block, else anywhere."""
    if not reply:
        raise ValueError("The reply was empty.")
    decoder = json.JSONDecoder(object_pairs_hook=_refuse_doubles)
    for text in (*find_fences(reply, "json"), *find_fences(reply, ""), reply):
        for brace in re.finditer(r"\{", text):
            try:
                value, _ = decoder.raw_decode(text, brace.start())
            except _DoubledKeyError:
                raise
            except (ValueError, RecursionError):
                continue
            return value
    raise ValueError("The reply holds no valid JSON object.")


def _describe(error: ValidationError) -> str:
    problems = (
        f"{'.'.join(map(str, problem['loc'])) or 'the object'}: {problem['msg']}" for problem in error.errors()[:10]
    )
    return "\n".join(problems)
