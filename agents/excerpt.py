"""What a critic is shown of a script: the part that depends on its model, and which lines were written for it."""

import ast

from agents.base import ScriptParts
from agents.script_checks import parse_code
from records.base import Record

_LAST = "find_max_tokens"
"""What the part of the template that depends on a model ends with; it begins with LABEL_MAP."""


class Excerpt(Record):
    """Lines of a script, the first of them by its number, from 1.

    `written`: what was written for the model → the numbers of its first and its last line.
    """

    first: int
    lines: tuple[str, ...]
    written: dict[str, tuple[int, int]]

    def holds(self, line: int) -> bool:
        """Return whether a line of this number was written for the model."""
        return any(first <= line <= last for first, last in self.written.values())


def find_excerpt(script: str, parts: ScriptParts) -> Excerpt:
    """Return all of a script that was written whole, else what the template renders from these parts and the classifier
    around them."""
    lines = tuple(script.removesuffix("\n").split("\n"))  # as Python counts them: a form feed ends none
    if parts.script is not None:
        return Excerpt(first=1, lines=lines, written={"annotate.py": (1, len(lines))})
    body = parse_code(script).body
    functions = {node.name: node for node in body if isinstance(node, ast.FunctionDef)}
    label_map = next(_find_span(node) for node in body if _is_label_map(node))
    written = {"LABEL_MAP": label_map}
    for name, code in (("preprocess", parts.preprocess), ("read_logits", parts.read_logits)):
        if code is not None:  # the docstring before it is the template's
            written[name] = (_find_span(functions[name].body[0])[1] + 1, _find_span(functions[name])[1])
    first, last = label_map[0], _find_span(functions[_LAST])[1]
    return Excerpt(first=first, lines=lines[first - 1 : last], written=written)


def _is_label_map(node: ast.stmt) -> bool:
    return isinstance(node, ast.AnnAssign) and isinstance(node.target, ast.Name) and node.target.id == "LABEL_MAP"


def _find_span(node: ast.stmt) -> tuple[int, int]:
    return node.lineno, node.end_lineno or node.lineno
