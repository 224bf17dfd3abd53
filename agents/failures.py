"""What an endpoint's failures mean: whether another try may help, and what to tell the person."""

import email.utils
import math
import re
import time

import httpx2
import openai

from agents.breaker import PassingFailureError
from agents.target import LLMTarget, find_secrets
from records.errors import AutoAnnotatorError, LLMUnreachableError

_LATER = "Then continue the run with `autoannotator resume`."
_PASSING = frozenset({408, 409, 429})
"""Statuses below 500 after which the same request may succeed."""
_NO_CREDIT = "insufficient_quota"
_TOO_LONG = ("context_length_exceeded", "maximum context length")
"""How endpoints say that no other form would help."""


class RequestRefusedError(Exception):
    """The endpoint is well and does not take this one request in this form."""


class RequestTooLongError(RequestRefusedError):
    """The request, or the reply that it leaves room for, is longer than the model's context."""


_ESCAPED = re.compile(r"(?<!\\)\\(?:u00([2-7][0-9a-fA-F])|(/))")
"""What JSON may write in place of a plain character."""


def hide_secrets(text: str, target: LLMTarget) -> str:
    """Return the text with every secret of the endpoint as "[key]": a server may echo what it was sent, as it is or
    in the escapes of JSON."""
    secrets = sorted(find_secrets(target), key=len, reverse=True)
    plain = _ESCAPED.sub(_unescape, text)
    if any(secret in plain for secret in secrets):
        text = plain
    for secret in secrets:
        text = text.replace(secret, "[key]")
    return text


def _unescape(found: re.Match[str]) -> str:
    """Return the character that is meant; a quotation mark and a backslash stay escaped."""
    character = found[2] or chr(int(found[1], 16))
    return found[0] if character in '"\\' else character


def classify(error: Exception, target: LLMTarget) -> Exception:
    """Return what a failed try comes to: PassingFailureError, RequestRefusedError, or LLMUnreachableError where
    neither another try nor another form can help. No secret is in its text.
    """
    if isinstance(error, openai.APIStatusError):
        return _classify_status(error, target)
    if isinstance(error, openai.APITimeoutError):
        return PassingFailureError("did not answer in time")
    if isinstance(error, openai.APIConnectionError):
        return PassingFailureError("cannot be reached")
    said = error.args[0] if error.args else None  # an error in a body that says 200
    words = f": {hide_secrets(str(said.get('message', said)), target)[:300]}" if isinstance(said, dict) else ""
    return PassingFailureError(f"did not answer with a chat completion{words}")


def _classify_status(error: openai.APIStatusError, target: LLMTarget) -> Exception:
    status = error.status_code
    what = f"answered {status}: {_shown(error, target)}"
    if (hopeless := _find_hopeless(error, what, target)) is not None:
        return hopeless
    if status == 413 or any(word in what for word in _TOO_LONG):
        return RequestTooLongError(what)
    if status >= 500 or status in _PASSING:
        return PassingFailureError(what, retry_after=read_retry_after(error.response.headers), busy=status == 429)
    return RequestRefusedError(what)


def _find_hopeless(error: openai.APIStatusError, what: str, target: LLMTarget) -> LLMUnreachableError | None:
    """Return the error where no request will be answered before the person has done something, else None."""
    status = error.status_code
    if 300 <= status < 400:
        place = hide_secrets(error.response.headers.get("location", "another address"), target)
        return LLMUnreachableError(
            f"{target.host} sends requests on to {place}, and nothing is sent there",
            next_step=f"Set OPENAI_BASE_URL to the address that answers. {_LATER}",
        )
    if status in (401, 403):
        return LLMUnreachableError(
            f"{target.host} refused the key ({status})", next_step=f"Set OPENAI_API_KEY to a valid key. {_LATER}"
        )
    if status == 404:
        return LLMUnreachableError(
            f"{target.host} knows no model {target.model!r}, or {target.endpoint} is not its address (404)",
            next_step=f"Check the name in --llm and OPENAI_BASE_URL (most end in /v1). {_LATER}",
        )
    if status == 402 or _NO_CREDIT in what:
        return LLMUnreachableError(
            f"{target.host} {what}", next_step=f"Look into your account's credit and limits there. {_LATER}"
        )
    return None


def is_uncharged(error: Exception) -> bool:
    """Return whether nothing is charged for a try that failed so: the endpoint refused it, or never had it.

    A refusal is a status below 500, and 503, which says that a server takes no requests. Any other status, silence, a
    lost connection and a body that cannot be read may come after the reply was written, and be charged.
    """
    if isinstance(error, openai.APIStatusError):
        return error.status_code < 500 or error.status_code == 503
    cause: BaseException | None = error
    while cause is not None and not isinstance(cause, httpx2.ConnectError | httpx2.ConnectTimeout):
        cause = cause.__cause__
    return cause is not None


def give_up(failure: PassingFailureError, target: LLMTarget) -> AutoAnnotatorError:
    """Return the error of an endpoint that does not answer."""
    asked = failure.retry_after
    wait = f" It asks to be left alone for {asked:.0f} s." if asked is not None and asked > 1 else ""
    return LLMUnreachableError(
        f"{target.host} {failure.what}", next_step=f"Check that the server runs, or wait.{wait} {_LATER}"
    )


def read_retry_after(headers: httpx2.Headers) -> float | None:
    """Return the seconds that an endpoint asks to wait, by `retry-after-ms` or `retry-after` (seconds or a date)."""
    for name, unit in (("retry-after-ms", 1e-3), ("retry-after", 1.0)):
        try:
            seconds = float(headers[name]) * unit
        except (KeyError, ValueError):
            continue
        return max(0.0, seconds) if math.isfinite(seconds) else None
    try:
        date = email.utils.parsedate_to_datetime(headers["retry-after"])
        return max(0.0, date.timestamp() - time.time())
    except (KeyError, ValueError, OverflowError):
        return None


def _shown(error: Exception, target: LLMTarget) -> str:
    """Return the endpoint's own words, where there are some: the client keeps only bodies of the form that it knows."""
    body = error.response.text.strip() if isinstance(error, openai.APIStatusError) else ""
    return " ".join(hide_secrets(body or str(error), target).split())[:300]
