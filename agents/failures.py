"""What an endpoint's failures mean: whether another try may help, and what to tell the person."""

import email.utils
import time

import httpx2
import openai

from agents.breaker import PassingFailureError
from agents.target import LLMTarget, find_secrets
from records.errors import AutoAnnotatorError, LLMUnreachableError

_LATER = "Then continue the run with `autoannotator resume`."
_PASSING = frozenset({408, 409, 429})
"""Statuses below 500 after which the same request may succeed."""


class RequestRefusedError(Exception):
    """The endpoint is well and does not take this one request in this form."""


def hide_secrets(text: str, target: LLMTarget) -> str:
    """Return the text with every secret of the endpoint as "[key]": a server may echo what it was sent."""
    for secret in sorted(find_secrets(target), key=len, reverse=True):
        text = text.replace(secret, "[key]")
    return text


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
    return PassingFailureError(f"did not answer with a chat completion: {_shown(error, target)}")


def _classify_status(error: openai.APIStatusError, target: LLMTarget) -> Exception:
    status = error.status_code
    if status in (401, 403):
        return LLMUnreachableError(
            f"{target.host} refused the key ({status})", next_step=f"Set OPENAI_API_KEY to a valid key. {_LATER}"
        )
    if status == 404:
        return LLMUnreachableError(
            f"{target.host} knows no model {target.model!r}, or {target.endpoint} is not its address (404)",
            next_step=f"Check the name in --llm and OPENAI_BASE_URL (most end in /v1). {_LATER}",
        )
    what = f"answered {status}: {_shown(error, target)}"
    if status >= 500 or status in _PASSING:
        return PassingFailureError(what, retry_after=read_retry_after(error.response.headers), busy=status == 429)
    return RequestRefusedError(what)


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
            return max(0.0, float(headers[name]) * unit)
        except (KeyError, ValueError):
            continue
    try:
        date = email.utils.parsedate_to_datetime(headers["retry-after"])
        return max(0.0, date.timestamp() - time.time())
    except (KeyError, ValueError):
        return None


def _shown(error: Exception, target: LLMTarget) -> str:
    """Return the endpoint's own words, where there are some: the client keeps only bodies of the form that it knows."""
    body = error.response.text.strip() if isinstance(error, openai.APIStatusError) else ""
    return " ".join(hide_secrets(body or str(error), target).split())[:300]
