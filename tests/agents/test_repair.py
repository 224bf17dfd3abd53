import pytest

from agents.repair import KEPT_OUTPUT, choose_next, clean_output, cut_output, find_errors, sign_failure

FIRST = """\
.F
=== FAILURES ===
____ test_odd_row[emoji] ____
in/scripts/test_annotate.py:112: in run
    assert reply["type"] == "result", f"{what}: {reply.get('error', reply)}"
E   Failed: emoji (an odd text): KeyError: '🙂'
----- Captured stderr call -----
  File "/tmp/autoannotator-box-x81/in/scripts/annotate.py", line 63, in preprocess
KeyError: '🙂'
1 failed, 3 passed in 4.21s
"""
SECOND = (
    FIRST.replace("KeyError: '🙂'", "KeyError: '👍'").replace("4.21s", "61.02s (0:01:01)").replace("line 63", "line 71")
)
TIMEOUT = "timeout: it ran for more than 300 s\n.\nstill running"
CRASH = (
    "Traceback (most recent call last):\n  File \"x.py\", line 3\nModuleNotFoundError: No module named 'nothing'\nbye\n"
)


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ("5 passed in 4.21s", "5 passed in 61.02s (0:01:01)"),
        ("<Foo object at 0x7f9e91a2b0a0>", "<Foo object at 0x7f0000000000>"),
        (
            "No such file: /tmp/pytest-of-root/pytest-3/test_x0/a.parquet",
            "No such file: /tmp/pytest-of-me/pytest-143/test_x0/a.parquet",
        ),
        (
            "/tmp/autoannotator-box-ab12/in/scripts/annotate.py:3",
            "/var/tmp/autoannotator-box-zz/in/scripts/annotate.py:3",
        ),
        ("[W1124 12:36:58.123456789 a.cpp:3]", "[W1124 09:00:01.1 a.cpp:3]"),
        ("Loading:  10%|\rLoading: 100%|\ndone", "Loading: 100%|\ndone"),
    ],
)
def test_two_runs_of_one_test_print_the_same(one: str, other: str) -> None:
    assert clean_output(one) == clean_output(other)


def test_what_a_test_says_stays() -> None:
    text = "E   KeyError: 'in the year 1999'\nin/scripts/annotate.py:3: a / b = 3.5\r\n2 failed, 3 passed"
    assert clean_output(text) == text


def test_beginning_and_end_of_an_output_are_kept() -> None:
    assert cut_output("a" * 2 * KEPT_OUTPUT) == "a" * 2 * KEPT_OUTPUT
    cut = cut_output("a" * KEPT_OUTPUT + "b" * 10_000 + "c" * KEPT_OUTPUT)
    assert cut == "a" * KEPT_OUTPUT + "\n[…]\n" + "c" * KEPT_OUTPUT


def test_the_errors_of_an_output_are_found() -> None:
    assert find_errors(FIRST)[0] == "Failed: emoji (an odd text): KeyError: '🙂'"
    assert find_errors(CRASH) == ("ModuleNotFoundError: No module named 'nothing'",)
    assert find_errors(TIMEOUT) == ("timeout: it ran for more than 300 s",)
    assert find_errors("") == ()


def test_a_signature_is_of_the_error_and_not_of_its_values() -> None:
    first = sign_failure(find_errors(FIRST), ("it failed its test: KeyError: '🙂'", "line 3: F821 Undefined name `x`"))
    again = sign_failure(find_errors(SECOND), ("it failed its test: KeyError: '👍'", "line 9: F821 Undefined name `x`"))
    assert again == first
    assert sign_failure(find_errors(FIRST.replace("KeyError", "TypeError")), ()) != sign_failure(find_errors(FIRST), ())
    assert sign_failure(find_errors(FIRST), ("line 3: uses eval",)) != sign_failure(find_errors(FIRST), ())
    assert (
        sign_failure((), ("line 3: a; b",))
        == sign_failure((), ("line 4: a; b",))
        != sign_failure((), ("line 4: a; c",))
    )


A, B, C = ("a",), ("b",), ("c",)


@pytest.mark.parametrize(
    ("signatures", "fallback", "following"),
    [
        ([A], False, "repair"),
        ([A, B, C], False, "repair"),
        ([A, A], False, "fall back"),
        ([A, B, A], False, "fall back"),
        ([A, B, C, ("d",)], False, "fall back"),
        ([A, B, C, ("d",), ("e",)], True, "drop"),
        ([A], True, "drop"),
    ],
)
def test_what_follows_a_failure(signatures, fallback: bool, following: str) -> None:
    assert choose_next(signatures, 4, fallback=fallback) == following
