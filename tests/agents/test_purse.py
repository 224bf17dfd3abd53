"""The purse: nothing is overspent, whoever asks at the same time, whatever fails, and whenever the process ends."""

import json
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from pathlib import Path

import pytest

from agents.asking import Asker, Message, Purpose
from agents.base import ReviewRequest
from agents.forms import Form, step_down
from agents.prices import price_request
from agents.prompting import Prompt
from agents.purse import MESSAGE_TOKENS, REQUEST_TOKENS, Purse, bound_prompt, check_spending
from agents.replies import read_json
from agents.review_replies import LEAST_THINKING, THINKING_TOKENS, bound_thinking
from agents.reviewer import LLMReviewer, ReviewManner
from records.errors import BudgetReachedError, LLMUnreachableError, ReplyError, SettingsError
from records.ledger import Capabilities, Ledger
from tests import faults
from tests.agents.builders import make_task
from tests.agents.review_scripts import give_answers, label_of, make_rows, reply
from tests.agents.test_faults import GOOD, Number, ask, say
from tests.llm_server import Answer, LLMServer, Refusal, Said, answer_rows, read_rows

PRICE = (1.0, 10.0)
"""USD for a million tokens read and written."""
PURPOSE = Purpose("tester", 3)
TASK = make_task("Positive", "Negative")


def ask_within(asker: Asker, tokens: int, request: str = "A number?") -> int:
    """Ask with a limit of the reply."""
    prompt = Prompt(role="tester", system="You test.", request=request, hash="0" * 64)
    return asker.ask(prompt, read_json(Number), Number.model_json_schema(), reply_tokens=tokens).value.number


def most(request: str = "A number?", tokens: int = 8192) -> float:
    """Return what one such request costs at most."""
    messages = (Message(role="system", content="You test."), Message(role="user", content=request))
    return (PRICE[0] * bound_prompt(messages, Number.model_json_schema()) + PRICE[1] * tokens) / 1e6


def test_a_prompt_has_no_more_tokens_than_its_bytes() -> None:
    messages = (Message(role="system", content="é"), Message(role="user", content="🙂a"))
    allowance = 2 * MESSAGE_TOKENS + REQUEST_TOKENS
    assert bound_prompt(messages, None) == 2 + 5 + allowance
    assert bound_prompt(messages, {"a": "ü"}) == 2 + 5 + len('{"a": "ü"}'.encode()) + allowance


def test_the_price_of_a_reply_takes_the_place_of_what_was_put_aside(connect, ledger: Ledger) -> None:
    asker, server = connect(say(GOOD), price=PRICE, budget=1.5 * most())
    for number in range(20):
        assert ask(asker, f"A number? {number}") == 7
    (spent,) = ledger.spending()
    assert (spent.requests, spent.unanswered, spent.reserved_usd) == (20, 0, 0.0)
    assert ledger.sum_spent() == pytest.approx(spent.usd)
    assert {request["max_tokens"] for request in server.requests()} == {8192}


def test_a_request_that_might_cost_too_much_is_not_sent(connect, ledger: Ledger) -> None:
    asker, server = connect(say(GOOD), price=PRICE, budget=0.99 * most())
    with pytest.raises(BudgetReachedError, match="0 USD are spent"):
        ask(asker)
    assert server.log == []
    assert ledger.spending() == ()


def test_no_budget_sets_no_limit_and_keeps_no_charges(connect, ledger: Ledger) -> None:
    asker, server = connect(say(GOOD), price=PRICE)
    ask(asker)
    assert not {"max_tokens", "max_completion_tokens"} & set(server.requests()[0])
    assert "max" not in (ledger.find_capabilities(server.base_url, "test-model") or Capabilities()).model_dump_json(
        exclude_none=True
    )


def test_a_budget_needs_a_price(connect) -> None:
    with pytest.raises(SettingsError, match="no price is known for test-model") as caught:
        connect(say(GOOD), budget=5.0)
    assert "--llm-price" in caught.value.next_step


@pytest.mark.parametrize("fault", [faults.hang, faults.reset, faults.cut_body, faults.server_error])
def test_what_may_have_been_charged_counts_as_spent(connect, ledger: Ledger, fault: faults.Fault) -> None:
    asker, _ = connect(say(fault(GOOD), GOOD), price=PRICE, budget=1.0, timeout=0.5)
    assert ask(asker) == 7
    (spent,) = ledger.spending()
    assert (spent.requests, spent.unanswered) == (1, 1)
    assert spent.reserved_usd == pytest.approx(most())
    assert ledger.sum_spent() == pytest.approx(most() + (spent.usd or 0))


@pytest.mark.parametrize("refusal", [Refusal(429, headers={"retry-after-ms": "1"}), Refusal(503), Refusal(400)])
def test_what_was_refused_is_not_charged(connect, ledger: Ledger, refusal: Refusal) -> None:
    asker, server = connect(say(refusal, GOOD), price=PRICE, budget=1.0)
    assert ask(asker) == 7
    assert len(server.log) == 2
    (spent,) = ledger.spending()
    assert (spent.unanswered, spent.reserved_usd) == (0, 0.0)


def test_what_never_reached_the_endpoint_is_not_charged(connect, ledger: Ledger) -> None:
    asker, server = connect(say(GOOD), price=PRICE, budget=1.0)
    server.stop()
    with pytest.raises(LLMUnreachableError):
        ask(asker)
    assert ledger.sum_spent() == 0.0


def test_an_endpoint_that_counts_no_tokens_costs_what_was_put_aside(connect, ledger: Ledger) -> None:
    asker, server = connect(say(Said(GOOD, counted=False)), price=PRICE, budget=2.5 * most())
    ask(asker, "A number? 1")
    ask(asker, "A number? 2")
    with pytest.raises(BudgetReachedError):
        ask(asker, "A number? 3")
    assert len(server.log) == 2
    (spent,) = ledger.spending()
    assert (spent.requests, spent.usd, spent.unanswered) == (2, None, 0)
    assert spent.reserved_usd == pytest.approx(2 * most("A number? 1"))
    assert ledger.count_unpriced() == 0


def test_what_earlier_processes_spent_counts(connect, ledger: Ledger) -> None:
    asker, _ = connect(say(Refusal(500), GOOD), price=PRICE, budget=2 * most())
    ask(asker)
    again, server = connect(say(GOOD), price=PRICE, budget=2 * most())
    assert ask(again) == 7, "it is in the ledger"
    with pytest.raises(BudgetReachedError):
        ask(again, "Another?")
    assert server.log == []


def test_a_request_that_was_under_way_at_a_kill_counts(tmp_path: Path) -> None:
    with closing(Ledger(tmp_path / "ledger.sqlite")) as ledger:
        purse = Purse(1.0, ledger)
        with purse.reserve(0.4, PURPOSE, "m") as hold:
            hold.send()
            with closing(Ledger(tmp_path / "ledger.sqlite")) as other:
                assert other.sum_spent() == 0.4, "on the disk before the request goes out"
                (spent,) = other.spending()
        assert (spent.role, spent.stage, spent.unanswered, spent.requests) == ("tester", 3, 1, 0)


def test_many_threads_never_overspend(connect, ledger: Ledger) -> None:
    """The endpoint checks at every request that all it was ever asked for, at its dearest, is within the budget."""
    budget, lock, charged, dearest = 10 * most("A number? 00"), threading.Lock(), [0.0], [0.0]
    under_way: list[float] = []

    def script(request: dict) -> Answer:
        cost = most("A number? 00", request["max_tokens"])
        with lock:
            under_way.append(cost)
            dearest[0] = max(dearest[0], charged[0] + sum(under_way))
        time.sleep(0.02)
        with lock:
            under_way.remove(cost)
            charged[0] += cost / 3
        # A third of the most that it may cost, in words, as the server counts them.
        return GOOD + " " + "word " * int(cost / 3 * 1e6 / PRICE[1])

    asker, server = connect(script, price=PRICE, budget=budget, concurrency=6)

    def try_to_ask(number: int) -> bool:
        try:
            return ask(asker, f"A number? {number:02}") == 7
        except BudgetReachedError:
            return False

    with ThreadPoolExecutor(6) as pool:
        paid = list(pool.map(try_to_ask, range(60)))
    assert dearest[0] <= budget * (1 + 1e-9)
    assert ledger.sum_spent() <= budget
    assert 26 <= sum(paid) == len(server.log) <= 30, "most of what was put aside came back and was spent"
    assert len(under_way) == 0


def test_the_end_waits_for_the_requests_that_are_under_way(ledger: Ledger) -> None:
    purse, order = Purse(1.0, ledger), []
    sent, ended = threading.Event(), threading.Event()

    def take_first() -> None:
        with purse.reserve(0.8, PURPOSE, "m") as hold:
            hold.send()
            sent.set()
            ended.wait(5)
            hold.settle(0.7)
            order.append("first")

    def take_second() -> None:
        with pytest.raises(BudgetReachedError), purse.reserve(0.5, PURPOSE, "m"):
            pass
        order.append("second")

    threads = [threading.Thread(target=take_first), threading.Thread(target=take_second)]
    threads[0].start()
    assert sent.wait(5)
    threads[1].start()
    time.sleep(0.05)
    assert order == []
    ended.set()
    for thread in threads:
        thread.join(5)
    assert order == ["first", "second"]
    with purse.reserve(0.3, PURPOSE, "m"):
        assert purse.spent == pytest.approx(0.7)


def test_a_small_request_does_not_overtake_a_large_one_that_waits(ledger: Ledger) -> None:
    purse, order = Purse(1.0, ledger), []

    def take(name: str, usd: float) -> None:
        with purse.reserve(usd, PURPOSE, "m"):
            order.append(name)

    with ThreadPoolExecutor(2) as pool:
        with purse.reserve(0.9, PURPOSE, "m"):
            large = pool.submit(take, "large", 0.8)
            time.sleep(0.05)
            small = pool.submit(take, "small", 0.05)
            time.sleep(0.05)
            assert order == []
        large.result(5)
        small.result(5)
    assert order == ["large", "small"]


def test_a_reply_that_the_limit_cut_off_gets_twice_the_room_once(connect) -> None:
    asker, server = connect(say(faults.cut_text(GOOD), GOOD), price=PRICE, budget=1.0)
    assert ask_within(asker, 400) == 7
    assert [request["max_tokens"] for request in server.requests()] == [400, 800]


def test_a_model_that_runs_on_is_not_asked_a_third_time(connect) -> None:
    asker, server = connect(say(faults.cut_text(GOOD)), price=PRICE, budget=1.0)
    with pytest.raises(ReplyError, match="no usable reply in 2 attempts"):
        ask(asker)
    assert len(server.log) == 2


@pytest.mark.parametrize(
    ("message", "sent"),
    [
        (
            "Unsupported parameter: 'max_tokens'. Use 'max_completion_tokens' instead.",
            [{"max_completion_tokens": 1000}],
        ),
        ("max_tokens is too large: 1000. This model supports at most 700.", [{"max_tokens": 500}]),
        ("maximum context length is 900 tokens", [{"max_tokens": 500}]),
    ],
)
def test_the_limit_is_sent_as_the_endpoint_takes_it(connect, message: str, sent: list[dict[str, int]]) -> None:
    asker, server = connect(say(faults_with(message), GOOD), price=PRICE, budget=1.0)
    assert ask_within(asker, 1000) == 7
    assert limits(server) == [{"max_tokens": 1000}, *sent]


def faults_with(message: str) -> Refusal:
    return Refusal(400, json.dumps({"error": {"message": message}}))


def limits(server: LLMServer) -> list[dict[str, int]]:
    return [{name: value for name, value in one.items() if name.startswith("max_")} for one in server.requests()]


def test_how_the_limit_is_taken_is_remembered(connect, ledger: Ledger) -> None:
    refusals = (
        faults_with("use max_completion_tokens, not max_tokens"),
        faults_with("max_completion_tokens: at most 600"),
    )
    asker, server = connect(say(*refusals, GOOD), price=PRICE, budget=1.0)
    ask_within(asker, 1000)
    ask_within(asker, 1000, "Another?")
    ask_within(asker, 200, "A third?")
    assert [one.get("max_completion_tokens") for one in server.requests()] == [None, 1000, 500, 500, 200]
    known = ledger.find_capabilities(server.base_url, "test-model")
    assert known is not None
    assert (known.limit, known.most_tokens) == ("max_completion_tokens", 500)


def test_a_limit_is_never_dropped() -> None:
    form: Form | None = Form(format="json_schema", logprobs=True, temperature=True, limit="max_tokens", tokens=1000)
    seen = []
    while form is not None:
        seen.append(form)
        form = step_down(form, "no")
    assert all(one.limit and one.tokens == 1000 for one in seen)
    assert len(seen) == 6
    assert step_down(seen[-1], "max_completion_tokens is unknown") is None


def test_reviews_that_cannot_be_paid_are_missing_and_not_failed(connect, ledger: Ledger) -> None:
    """A batch is paid whole or not at all; what was paid is in the ledger for a run that goes on."""
    texts = [f"{'good' if n % 2 else 'poor'} {n}" for n in range(20)]
    rows = make_rows(*texts)
    probe, server = connect(lambda request: answer_rows(request, label_of), price=PRICE)
    LLMReviewer(probe, ReviewManner(batch=4), concurrency=1).review(ReviewRequest(TASK, rows[:4], stage=1))
    cost = ledger.sum_spent()
    needed = bound_review(server.requests()[0])
    asker, _ = connect(
        lambda request: answer_rows(request, label_of), price=PRICE, budget=cost * 3.2 + needed, concurrency=4
    )
    reviews = LLMReviewer(asker, ReviewManner(batch=4), concurrency=4).review(ReviewRequest(TASK, rows, stage=2))
    asked = [one.row for one in reviews]
    assert len(asked) == 16
    assert asked == sorted(asked)
    assert all(
        {row.row for row in rows[n : n + 4]} <= {*asked} or not {row.row for row in rows[n : n + 4]} & {*asked}
        for n in range(0, 20, 4)
    )
    assert not any(one.failed for one in reviews)
    assert {(one.stage, one.requests) for one in ledger.spending()} == {(1, 1), (2, 3)}
    richer, later = connect(lambda request: answer_rows(request, label_of), price=PRICE, budget=1.0)
    whole = LLMReviewer(richer, ReviewManner(batch=4), concurrency=4).review(ReviewRequest(TASK, rows, stage=2))
    assert [one.label for one in whole] == [label_of(text) for text in texts]
    assert len(later.log) == 1


def bound_review(request: dict) -> float:
    """Return what a review of four rows costs at most."""
    messages = [Message(role=one["role"], content=one["content"]) for one in request["messages"]]
    schema = request["response_format"]["json_schema"]["schema"]
    return (PRICE[0] * bound_prompt(messages, schema) + PRICE[1] * (4096 + 4 * (50 + 13))) / 1e6


def test_a_batch_whose_repair_cannot_be_paid_is_missing_whole(connect, ledger: Ledger) -> None:
    def script(request: dict) -> Answer:
        many = len(read_rows(request)) > 1
        return "no" if many else reply(give_answers(request)) + " " + "word " * 300

    probe, server = connect(lambda request: answer_rows(request, label_of), price=PRICE)
    rows = make_rows("good 1", "poor 2", "good 3", "poor 4")
    LLMReviewer(probe, ReviewManner(batch=4), concurrency=1).review(ReviewRequest(TASK, rows))
    needed = bound_review(server.requests()[0])
    asker, tried = connect(script, price=PRICE, budget=ledger.sum_spent() + needed * 1.2)
    rows = make_rows("good 5", "poor 6", "good 7", "poor 8")
    assert LLMReviewer(asker, ReviewManner(batch=4), concurrency=1).review(ReviewRequest(TASK, rows)) == ()
    assert 3 < len(tried.log) < 7, "some of the single rows were paid for, and not all"


def test_every_other_role_hears_of_the_end(connect) -> None:
    asker, _ = connect(say("not a number", GOOD), price=PRICE, budget=1.001 * most())
    with pytest.raises(BudgetReachedError) as caught:
        ask(asker)
    assert caught.value.exit_status == 4
    assert "resume RUN --budget" in caught.value.next_step


@pytest.mark.parametrize("budget", [0.0, 0.25, -1.0, float("nan"), float("inf")])
def test_a_new_budget_must_go_beyond_what_is_spent(ledger: Ledger, budget: float) -> None:
    ledger.open_charge("reviewer", None, "m", 0.25)
    with pytest.raises(SettingsError, match="250000 USD are spent"):
        check_spending(ledger, budget)
    assert check_spending(ledger, 0.26) == 0.25


def test_what_was_spent_before_there_was_a_price_is_not_known(connect, ledger: Ledger) -> None:
    asker, _ = connect(say(GOOD))
    ask(asker)
    with pytest.raises(SettingsError, match="1 answers have no price"):
        check_spending(ledger, 100.0)


def test_the_price_of_many_tokens_is_the_sum_of_their_prices() -> None:
    """What the tests above take for granted of a stated price."""
    from agents.target import LLMTarget

    target = LLMTarget(model="m", base_url="http://localhost/v1")
    assert price_request(target, 10, 5, PRICE) == pytest.approx(60e-6)


def test_what_is_kept_back_nothing_else_may_use(connect, ledger: Ledger) -> None:
    ledger.keep_back(0.6 * most())
    asker, server = connect(say(GOOD), price=PRICE, budget=1.5 * most())
    with pytest.raises(BudgetReachedError, match="USD are kept for the audit"):
        ask(asker)
    ledger.keep_back(0.0)
    assert ask(asker) == 7
    assert len(server.log) == 1


def test_replies_of_earlier_stages_bound_those_of_later_ones(connect, ledger: Ledger) -> None:
    """So that little money has room for more requests; the limit hangs on no reply that is under way."""
    rows = make_rows(*(f"good {n}" for n in range(44)))
    asker, server = connect(lambda request: answer_rows(request, label_of), price=PRICE, budget=1.0)
    reviewer = LLMReviewer(asker, ReviewManner(batch=2), concurrency=2)
    reviewer.review(ReviewRequest(TASK, rows[:22], stage=None))
    before = {request["max_tokens"] for request in server.requests()}
    reviewer.review(ReviewRequest(TASK, rows[22:44], stage=0))
    after = {request["max_tokens"] for request in server.requests()} - before
    (answers,) = {one - THINKING_TOKENS for one in before}
    counted, longest = ledger.measure_replies("reviewer", 0)
    assert (counted, longest < LEAST_THINKING) == (11, True)
    assert after == {LEAST_THINKING + answers}
    assert ledger.measure_replies("reviewer", None) == (0, 0)


@pytest.mark.parametrize(
    ("counted", "longest", "allowed"), [(9, 50, 4096), (10, 50, 256), (10, 700, 1400), (10, 9000, 4096)]
)
def test_thoughts_may_be_twice_as_long_as_any_reply_so_far(counted: int, longest: int, allowed: int) -> None:
    assert bound_thinking(counted, longest) == allowed
