"""What may reach a terminal: texts of files, cards and models are printed, never obeyed."""

import re

_CONTROLS = re.compile(r"[\x00-\x08\x0b-\x1f\x7f-\x9f\u202a-\u202e\u2066-\u2069]")
"""The last two ranges turn the direction of what stands beside them."""


def strip_controls(text: str) -> str:
    """Return the text with every control character but tab and line break, and every change of direction, shown
    as "\N{REPLACEMENT CHARACTER}"."""
    return _CONTROLS.sub("\N{REPLACEMENT CHARACTER}", text)
