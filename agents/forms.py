"""The forms in which a request may be sent, and what an endpoint's refusal of one says about the next."""

import json
from typing import Any, Literal

from records.base import Record
from records.ledger import Capabilities, LimitName

Format = Literal["json_schema", "json_object", "none"]
LAXER: dict[Format, Format] = {"json_schema": "json_object", "json_object": "none"}
_NAMED_BY = {
    "logprobs": ("logprob",),
    "format": ("response_format", "json_schema", "json_object"),
    "temperature": ("temperature",),
    "limit": ("max_tokens", "max_completion_tokens"),
}
"""Part of a form → the words by which a refusal names it. An unspecific one is taken to mean them in this order."""
_TOO_LARGE = ("too large", "at most", "maximum", "less than or equal", "exceed")
"""How a refusal says that it is not the limit's name that it means, but its size."""
LEAST_TOKENS = 256
"""A smaller limit of a reply is not tried."""


class Form(Record):
    """What is sent beside the messages. `format` is `none` too where no schema is asked for.

    `limit` is the name under which the most `tokens` of a reply are sent; None: there is no budget, and it is not.
    """

    format: Format
    logprobs: bool
    temperature: bool
    limit: LimitName | None = None
    tokens: int = 0

    @property
    def sampling(self) -> str:
        """The same as JSON, as it is recorded."""
        said: dict[str, Any] = {"temperature": 0} if self.temperature else {}
        if self.format != "none":
            said["response_format"] = self.format
        if self.logprobs:
            said["logprobs"] = True
        if self.limit is not None:
            said[self.limit] = self.tokens
        return json.dumps(said)


def describe_form(form: Form, schema: dict[str, Any] | None) -> dict[str, Any]:
    """Return the fields of a request's body beside its model and messages."""
    said: dict[str, Any] = {"temperature": 0} if form.temperature else {}
    if form.logprobs:
        said["logprobs"] = True
    if form.limit is not None:
        said[form.limit] = form.tokens
    if form.format == "json_schema":
        said["response_format"] = {"type": "json_schema", "json_schema": {"name": "reply", "schema": schema}}
    elif form.format == "json_object":
        said["response_format"] = {"type": "json_object"}
    return said


def choose_form(
    known: Capabilities, *, schema: bool, logprobs: bool, limit: LimitName | None = None, tokens: int = 0
) -> Form:
    """Return the strictest and most telling form that the endpoint may take.

    `limit` is what it probably calls the most tokens of a reply, where these are bounded.
    """
    return Form(
        format=(known.format or "json_schema") if schema else "none",
        logprobs=logprobs and known.logprobs is not False,
        temperature=known.temperature is not False,
        limit=limit and (known.limit or limit),
        tokens=min(tokens, known.most_tokens or tokens),
    )


def is_settled(known: Capabilities, *, schema: bool, logprobs: bool, limit: bool = False) -> bool:
    """Return whether it is known how such a request has to be sent."""
    return (
        known.temperature is not None
        and not (limit and known.limit is None)
        and not (schema and known.format is None)
        and not (logprobs and known.logprobs is None)
    )


def step_down(form: Form, refusal: str) -> Form | None:
    """Return the form to try after a refusal: without what it names, else without the likeliest; None: no more.

    A limit of the reply never goes: it is sent under its other name, or, where it is too large, halved.
    """
    said = refusal.casefold()
    named = [part for part, words in _NAMED_BY.items() if any(word in said for word in words)]
    if named == ["limit"] and form.limit is not None:
        return halve(form) if any(word in said for word in _TOO_LARGE) else _rename_limit(form)
    sent = [part for part in _NAMED_BY if part != "limit" and getattr(form, part) not in (False, "none")]
    if not sent:
        return _rename_limit(form)
    part = named[0] if len(named) == 1 and named[0] in sent else sent[0]
    return form.model_copy(update={part: LAXER[form.format] if part == "format" else False})


def halve(form: Form) -> Form | None:
    """Return the form with half as many tokens of a reply; None: there is no such limit, or it would be too small."""
    tokens = form.tokens // 2
    return form.model_copy(update={"tokens": tokens}) if form.limit and tokens >= LEAST_TOKENS else None


def _rename_limit(form: Form) -> Form | None:
    """Return the form with the newer name of the limit; None: it has that already."""
    return form.model_copy(update={"limit": "max_completion_tokens"}) if form.limit == "max_tokens" else None


def learn(
    known: Capabilities, taken: Form, *, schema: bool, logprobs: bool, most_tokens: int | None = None
) -> Capabilities:
    """Return what is known once a request in this form was answered; `most_tokens`, where more were refused."""
    return Capabilities(
        format=taken.format if schema else known.format,
        logprobs=taken.logprobs if logprobs else known.logprobs,
        temperature=taken.temperature,
        limit=taken.limit or known.limit,
        most_tokens=most_tokens or known.most_tokens,
    )
