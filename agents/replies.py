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
_UNWRITABLE = re.compile(r"[\x00\ud800-\udfff]")
"""Valid JSON where it is escaped, and yet no file can hold a lone surrogate (pairs are joined when parsed), and not
every program takes a NUL."""


def strip_thinking(reply: str) -> str:
    """Return a reply without its think blocks, also where only the closing tag was sent or it never closes."""
    return _END_OF_THINKING.sub("", _THINKING.sub("", reply)).strip()


def find_fences(reply: str, language: str) -> tuple[str, ...]:
    """Return the contents of the fenced blocks of a language, in their order."""
    return tuple(body for name, body in _FENCE.findall(reply) if name.casefold() == language)


def read_json(kind: type[M], check: Callable[[M], str | None] | None = None) -> Callable[[str], M]:
    """Return a reader of replies that hold one JSON object of this kind; `check` returns what else is wrong with it.

    Lone surrogates and NULs in its strings and names are read as U+FFFD.
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


def _make_object(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    """Return an object of a reply, with text that any file can hold. The objects in it were made before."""
    names = [_replace_unwritable(name) for name, _ in pairs]
    if len({*names}) < len(names):
        raise _DoubledKeyError(f"An object of the reply has a name twice; its names: {', '.join(names)[:200]}")
    return {name: _clean_value(value) for name, (_, value) in zip(names, pairs, strict=True)}


def _clean_value(value: object) -> object:
    if isinstance(value, str):
        return _replace_unwritable(value)
    return [_clean_value(one) for one in value] if isinstance(value, list) else value


def _replace_unwritable(text: str) -> str:
    return _UNWRITABLE.sub("\N{REPLACEMENT CHARACTER}", text)


def _find_object(reply: str) -> dict[str, Any]:
    """Return the first JSON object of a reply: in a fenced block, else anywhere."""
    if not reply:
        raise ValueError("The reply was empty.")
    decoder = json.JSONDecoder(object_pairs_hook=_make_object)
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
