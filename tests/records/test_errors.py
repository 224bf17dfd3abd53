"""The error tree: the drawing, the classes and the exit statuses agree."""

import re

import pytest

from records import errors
from records.errors import AutoAnnotatorError, DataError, SettingsError


def every_class() -> list[type[AutoAnnotatorError]]:
    """The classes of the module itself: what another module derives from them depends on what was imported before."""
    return [kind for kind in vars(errors).values() if isinstance(kind, type) and issubclass(kind, AutoAnnotatorError)]


def drawn_tree() -> dict[str, str | None]:
    """Each class in the module's drawing, with the one above it."""
    above: dict[str, str | None] = {}
    path: list[str] = []
    for line in (errors.__doc__ or "").splitlines():
        if found := re.match(r"^([│├└─ ]*)(\w+Error)\b", line):
            depth = len(found[1]) // 4
            path = [*path[:depth], found[2]]
            above[found[2]] = path[-2] if depth else None
    return above


def test_the_drawn_tree_is_the_tree_of_classes():
    classes = {kind.__name__: kind.__base__.__name__ for kind in every_class()}
    classes["AutoAnnotatorError"] = None
    assert drawn_tree() == classes


def test_the_drawn_exit_statuses_are_those_of_the_classes():
    drawn = re.findall(r"(\w+Error)\b.*\bexit (\d)", errors.__doc__ or "")
    assert len(drawn) == 6
    assert {name: getattr(errors, name).exit_status for name, _ in drawn} == {name: int(n) for name, n in drawn}


@pytest.mark.parametrize("kind", every_class(), ids=lambda kind: kind.__name__)
def test_every_error_has_an_exit_status_of_the_design(kind):
    assert kind.exit_status in {1, 2, 3, 4, 5, 6}


def test_a_message_says_what_failed_and_the_next_step():
    assert str(SettingsError("models is 0, allowed are 1 to 16", next_step="Give another --models.")) == (
        "models is 0, allowed are 1 to 16\nGive another --models."
    )


def test_a_data_error_says_the_file_and_the_place():
    error = DataError("a.csv", "three fields", place="row 7", next_step="Mend it.")
    assert str(error) == "a.csv, row 7: three fields\nMend it."
    assert str(DataError("a.csv", "empty", next_step="Mend it.")).startswith("a.csv: empty")
