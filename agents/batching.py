"""Half-price batch endpoints (OpenAI's `/v1/files` and `/v1/batches`): many requests at once, answered within a day.

A batch is written down before it is submitted, under a key that the endpoint is told too: a killed run finds it there
again and submits nothing twice. Answers go into the ledger under the hashes of their requests, where the ordinary way
finds them; what failed in a batch is not there, and is asked again by itself, at the full price.
"""

import json
from collections.abc import Callable, Iterator, Sequence
from typing import Any, TypeVar

import openai
from openai.types import Batch

from agents.asking import Asker, Planned, Purpose, describe_request, make_exchange
from agents.breaker import PassingFailureError
from agents.failures import RequestRefusedError, classify, give_up, hide_secrets
from agents.forms import Form, describe_form
from agents.llm import EndpointChat
from agents.prices import price_request
from agents.purse import bound_prompt
from agents.received import read_body, read_completion
from records.batch_book import BatchBook, BatchedRequest, OpenBatch
from records.errors import BudgetReachedError, LLMUnreachableError, ReplyError, SettingsError
from records.ledger import Ledger, hash_request

T = TypeVar("T")
MOST_REQUESTS = 50_000
MOST_BYTES = 100_000_000
"""OpenAI takes so many requests in a batch, and twice as many bytes."""
LISTED = 100
"""Batches among which one is looked for that was submitted just before a kill."""
ENDED = frozenset({"completed", "failed", "expired", "cancelled"})
KEY = "autoannotator"
"""The name under which a batch has our key."""


class EndpointBatches:
    """Has requests answered in batches. For one thread at a time."""

    def __init__(self, asker: Asker, ledger: Ledger) -> None:
        chat = asker.chat
        if not isinstance(chat, EndpointChat):
            raise TypeError(f"{chat.name} is not at an endpoint that could have batches")
        self._asker = asker
        self._chat = chat
        self._ledger = ledger
        self._book = BatchBook(ledger)
        self._client = chat.client
        self._told = ""

    def check(self) -> None:
        """Raise SettingsError where the endpoint has no batches. No request to the model is sent."""
        self._call(lambda: self._client.batches.list(limit=1))

    def answer(self, planned: Sequence[Planned]) -> None:
        """Have those that no answer is recorded of answered in batches, as far as the budget goes, and record them.

        A batch of an earlier process is waited for first. What has been in a batch before is not put into another.
        Returns when every batch has ended, which may take a day. Raises SettingsError where the endpoint has no
        batches, and LLMUnreachableError where it refuses one or does not answer.
        """
        for batch in self._book.list_open(self._chat.endpoint, self._chat.name):
            self._finish(batch if batch.batch_id else self._find_again(batch))
        left = [one for one in planned if self._is_left(one)]
        if left and not self._chat.is_settled(left[0].request):
            self.check()
            if not self._ask_by_itself(left.pop(0)):
                return
        while chunk := self._choose(left):
            left = left[len(chunk) :]
            self._finish(self._submit(self._book.open(self._chat.endpoint, self._chat.name, chunk)))

    def _is_left(self, one: Planned) -> bool:
        key = hash_request(describe_request(self._chat.name, one.request))
        return self._ledger.find(key) is None and not self._book.was_batched(key)

    def _ask_by_itself(self, one: Planned) -> bool:
        """Find out by one request in which form the endpoint takes them; return whether it did."""
        try:
            self._asker.answer(one.request, one.prompt_hash)
        except (BudgetReachedError, ReplyError):
            return False  # the ordinary way asks again, and says so
        return True

    def _choose(self, left: Sequence[Planned]) -> list[BatchedRequest]:
        """Return the first requests, as many as a batch may hold and the purse has money for."""
        described, size = [], 0
        for one in left[:MOST_REQUESTS]:
            described.append(self._describe(one))
            size += len(described[-1].body.encode())
            if size > MOST_BYTES:
                break
        if self._chat.purse is None:
            return [one.model_copy(update={"usd": None}) for one in described]
        return described[: self._chat.purse.take([one.usd or 0.0 for one in described])]

    def _describe(self, one: Planned) -> BatchedRequest:
        form = self._chat.choose_form(one.request)
        request = describe_request(self._chat.name, one.request)
        messages = [{"role": message.role, "content": message.content} for message in one.request.messages]
        body = {"model": self._chat.name, "messages": messages, **describe_form(form, one.request.schema)}
        tokens_in = bound_prompt(one.request.messages, one.request.schema)
        return BatchedRequest(
            request_hash=hash_request(request),
            request=json.dumps(request, ensure_ascii=False),
            body=json.dumps(body, ensure_ascii=False),
            sampling=_mark(form),
            prompt_hash=one.prompt_hash,
            role=one.request.purpose.role,
            stage=one.request.purpose.stage,
            usd=price_request(self._chat.target, tokens_in, form.tokens, self._chat.terms.price, batch=True),
        )

    def _submit(self, batch: OpenBatch) -> OpenBatch:
        """Submit a batch; where nobody knows whether it arrived, it is looked for before it is submitted again.

        Where that fails it stays open, and the next process looks for it.
        """
        lines = "".join(
            json.dumps(
                {
                    "custom_id": one.request_hash,
                    "method": "POST",
                    "url": "/v1/chat/completions",
                    "body": json.loads(one.body),
                },
                ensure_ascii=False,
            )
            + "\n"
            for one in batch.requests
        )

        def create() -> Batch:
            return self._look_for(batch) or self._client.batches.create(
                input_file_id=file.id,
                endpoint="/v1/chat/completions",
                completion_window="24h",
                metadata={KEY: batch.key},
            )

        try:
            named = (f"{batch.key}.jsonl", lines.encode())
            file = self._call(lambda: self._client.files.create(file=named, purpose="batch"))
            return self._book.note_submitted(batch, self._call(create).id)
        except SettingsError:
            self._forget(batch)
            raise

    def _look_for(self, batch: OpenBatch) -> Batch | None:
        """Return the endpoint's batch that has our key, among the latest."""
        listed = self._client.batches.list(limit=LISTED).data
        return next((one for one in listed if (one.metadata or {}).get(KEY) == batch.key), None)

    def _find_again(self, batch: OpenBatch) -> OpenBatch | None:
        """Return a batch that a kill came upon while it was submitted, with its id; None: the endpoint never got it."""
        found = self._call(lambda: self._look_for(batch))
        if found is not None:
            return self._book.note_submitted(batch, found.id)
        self._forget(batch)
        return None

    def _forget(self, batch: OpenBatch) -> None:
        self._book.forget(batch)
        for one in batch.requests:
            self._correct(one, 0.0)

    def _finish(self, batch: OpenBatch | None) -> None:
        """Wait for a batch's end and record its answers."""
        if batch is None or batch.batch_id is None:
            return
        ended = self._wait(batch.batch_id)
        if ended.status == "failed":
            self._forget(batch)
            said = "; ".join(one.message or "" for one in (ended.errors.data or [] if ended.errors else []))
            raise LLMUnreachableError(
                f"{self._chat.target.host} refused a batch: {hide_secrets(said, self._chat.target)[:300]}",
                next_step="Go on later with `autoannotator resume`, or start a run without --batch-api.",
            )
        requests = {one.request_hash: one for one in batch.requests}
        for line in self._read_lines(ended):
            one = requests.pop(str(line.get("custom_id")), None)
            if one is not None:
                self._take(one, line)
        self._book.close(batch)
        self._delete_files(ended)

    def _delete_files(self, ended: Batch) -> None:
        """Leave no rows with the endpoint. Where it will not delete them the run has lost nothing, and it goes on."""
        for file in filter(None, (ended.input_file_id, ended.output_file_id, ended.error_file_id)):
            try:
                self._client.files.delete(file)
            except openai.APIError as error:
                failure = hide_secrets(str(error), self._chat.target)[:300]
                self._chat.tell(0.0, f"keeps the file {file} of a batch that has ended: {failure}")

    def _wait(self, batch_id: str) -> Batch:
        while True:
            batch = self._call(lambda: self._client.batches.retrieve(batch_id))
            if batch.status in ENDED:
                return batch
            done = batch.request_counts.completed if batch.request_counts else 0
            total = batch.request_counts.total if batch.request_counts else 0
            told = f"works on a batch ({batch.status}): {done} of {total} requests are answered"
            if told != self._told:
                self._told = told
                self._chat.tell(self._chat.terms.poll, told)
            self._chat.clock.sleep(self._chat.terms.poll)

    def _read_lines(self, ended: Batch) -> Iterator[dict[str, Any]]:
        """Yield what the endpoint says of each request; a line that is none is passed over."""
        for file in filter(None, (ended.output_file_id, ended.error_file_id)):
            text = self._call(lambda file=file: self._client.files.content(file)).text
            for line in text.splitlines():
                try:
                    read = json.loads(line)
                except ValueError:
                    continue
                if isinstance(read, dict):
                    yield read

    def _take(self, one: BatchedRequest, line: dict[str, Any]) -> None:
        """Record the answer to one request; where there is none it is left for the ordinary way.

        A failed request is not charged, but for a failure of the server itself, as with one that is sent by itself.
        """
        response = line.get("response") or {}
        status, body = int(response.get("status_code") or 0), response.get("body")
        reply = read_body(body) if status == 200 else None
        if reply is None:
            if one.charge is not None and (status < 500 or status == 503) and status != 200:
                self._ledger.strike_charge(one.charge)
                self._correct(one, 0.0)
            return
        completion = read_completion(
            reply,
            self._chat.target,
            self._chat.terms.price,
            sampling=one.sampling,
            latency=0.0,
            attempt=1,
            charge=one.charge,
            batch=True,
        )
        purpose = Purpose(one.role, one.stage)
        exchange = make_exchange(purpose, self._chat.name, self._chat.endpoint, one.prompt_hash, completion)
        self._ledger.record(one.read_request(), exchange, one.charge)
        self._correct(one, completion.usd)

    def _correct(self, one: BatchedRequest, usd: float | None) -> None:
        """Let the purse know what a request did cost; None: nobody knows, and what was put aside stays spent."""
        if self._chat.purse is not None and one.usd is not None and usd is not None:
            self._chat.purse.correct(one.usd, usd)

    def _call(self, ask: Callable[[], T]) -> T:
        """Return what the endpoint answers, asked again and again while it fails, for as long as the run's patience."""
        started, wait, target = self._chat.clock.now(), self._chat.terms.first_wait, self._chat.target
        while True:
            try:
                return ask()
            except openai.APIStatusError as error:
                if error.status_code in (404, 405, 501):
                    raise SettingsError(
                        f"{target.host} has no batches ({error.status_code}), and --batch-api asks for them",
                        next_step="Start the run without --batch-api.",
                    ) from None
                failure = classify(error, target)
            except (openai.APIError, ValueError, TypeError, AttributeError, LookupError) as error:
                failure = classify(error, target)
            if isinstance(failure, RequestRefusedError):
                raise LLMUnreachableError(
                    f"{target.host} refused a batch: it {failure}",
                    next_step="Go on later with `autoannotator resume`, or start a run without --batch-api.",
                )
            if not isinstance(failure, PassingFailureError):
                raise failure
            if self._chat.clock.now() - started > self._chat.terms.patience:
                raise give_up(failure, target)
            self._chat.clock.sleep(max(wait, failure.retry_after or 0.0))
            wait = min(2 * wait, self._chat.terms.poll)


def _mark(form: Form) -> str:
    """Return what was sent beside the messages, as JSON, with the word that it went in a batch."""
    return json.dumps({**json.loads(form.sampling), "batch": True})
