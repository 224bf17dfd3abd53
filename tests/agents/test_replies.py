"""What is read from a reply can be written to any file."""

from typing import Any

import pytest
from pydantic import BaseModel, ConfigDict

from agents.replies import read_json


class Anything(BaseModel):
    model_config = ConfigDict(extra="allow")


def read(reply: str) -> dict[str, Any]:
    return read_json(Anything)(reply).model_dump()


@pytest.mark.parametrize("escape", [r"\ud83d", r"\ude00", r"\ude00\ud83d", r"\u0000"])
def test_what_no_file_can_hold_is_replaced_wherever_it_stands(escape: str) -> None:
    said = read('{"a": "x_", "b": [["_"], {"_": "_", "n": 1}], "c_": null}'.replace("_", escape))
    mark = "\N{REPLACEMENT CHARACTER}" * escape.count(r"\u")
    assert said == {"a": f"x{mark}", "b": [[mark], {mark: mark, "n": 1}], f"c{mark}": None}
    assert repr(said).encode()


def test_an_escaped_pair_is_one_character() -> None:
    assert read(r'{"face": "\ud83d\ude00"}') == {"face": "\N{GRINNING FACE}"}


def test_names_that_differ_in_nothing_writable_are_one_name() -> None:
    with pytest.raises(ValueError, match=r"a name twice; its names: \uFFFD, \uFFFD"):
        read(r'{"\ud83d": 1, "\ud83e": 2}')


def test_a_list_too_deep_is_no_object() -> None:
    deep = 100_000
    with pytest.raises(ValueError, match="no valid JSON object"):
        read('{"a": ' + "[" * deep + "]" * deep + "}")
