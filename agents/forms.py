"""The forms in which a request may be sent, and what an endpoint's refusal of one says about the next."""

import json
from typing import Any, Literal

from records.base import Record
from records.ledger import Capabilities

Format = Literal["json_schema", "json_object", "none"]
LAXER: dict[Format, Format] = {"json_schema": "json_object", "json_object": "none"}
_NAMED_BY = {
    "logprobs": ("logprob",),
    "format": ("response_format", "json_schema", "json_object"),
    "temperature": ("temperature",),
}
"""Part of a form → the words by which a refusal names it. An unspecific one is taken to mean them in this order."""


class Form(Record):
    """What is sent beside the messages. `format` is `none` too where no schema is asked for."""

    format: Format
    logprobs: bool
    temperature: bool

    @property
    def sampling(self) -> str:
        """The same as JSON, as it is recorded."""
        said: dict[str, Any] = {"temperature": 0} if self.temperature else {}
        if self.format != "none":
            said["response_format"] = self.format
        if self.logprobs:
            said["logprobs"] = True
        return json.dumps(said)


def choose_form(known: Capabilities, *, schema: bool, logprobs: bool) -> Form:
    """Return the strictest and most telling form that the endpoint may take."""
    return Form(
        format=(known.format or "json_schema") if schema else "none",
        logprobs=logprobs and known.logprobs is not False,
        temperature=known.temperature is not False,
    )


def is_settled(known: Capabilities, *, schema: bool, logprobs: bool) -> bool:
    """Return whether it is known how such a request has to be sent."""
    return (
        known.temperature is not None
        and not (schema and known.format is None)
        and not (logprobs and known.logprobs is None)
    )


def step_down(form: Form, refusal: str) -> Form | None:
    """Return the form to try after a refusal: without what it names, else without the likeliest; None: no more."""
    said = refusal.casefold()
    named = [part for part, words in _NAMED_BY.items() if any(word in said for word in words)]
    sent = [part for part in _NAMED_BY if getattr(form, part) not in (False, "none")]
    if not sent:
        return None
    part = named[0] if len(named) == 1 and named[0] in sent else sent[0]
    return form.model_copy(update={part: LAXER[form.format] if part == "format" else False})


def learn(known: Capabilities, taken: Form, *, schema: bool, logprobs: bool) -> Capabilities:
    """Return what is known once a request in this form was answered."""
    return Capabilities(
        format=taken.format if schema else known.format,
        logprobs=taken.logprobs if logprobs else known.logprobs,
        temperature=taken.temperature,
    )
