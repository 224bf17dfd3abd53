"""What a generated script must not do, read from its syntax tree.

It finds mistakes and plain mischief early, with a line to mend. It does not contain code: the sandbox does.
"""

import ast
import warnings
from collections.abc import Iterator

ALLOWED_MODULES = frozenset(
    {
        "__future__", "argparse", "collections", "contextlib", "dataclasses", "functools", "gc", "html", "inspect",
        "io", "itertools", "json", "logging", "math", "numpy", "os", "pathlib", "peft", "pyarrow", "random", "re",
        "string", "sys", "time", "torch", "traceback", "transformers", "typing", "unicodedata", "warnings",
    }
)  # fmt: skip
"""What a generated script may import: what runs a model, and harmless parts of the standard library."""

_NEVER = frozenset({"eval", "exec", "compile", "__import__", "globals", "vars", "breakpoint", "input"})
_NOT_IN_PARTS = frozenset({"open", "print", "getattr", "setattr", "delattr"})
_PARTS = frozenset({"preprocess", "read_logits"})
_OS_CALLS = frozenset(
    {"system", "popen", "fork", "kill", "remove", "unlink", "rmdir", "putenv", "chmod", "chown", "symlink", "link"}
)
_NOT_IN_PARTS_MODULES = frozenset({"os", "sys", "pathlib", "io", "inspect"})


def check_script(script: str) -> tuple[str, ...]:
    """Return what speaks against a script, with line numbers; () where nothing does."""
    try:
        tree = parse_code(script)
    except ValueError as error:
        return (str(error),)
    problems = {problem for node in ast.walk(tree) for problem in _check_node(node)}
    for node in ast.walk(tree):
        if isinstance(node, ast.FunctionDef) and node.name in _PARTS:
            problems.update(problem for inner in ast.walk(node) for problem in _check_part(inner, node.name))
    return tuple(f"line {line}: {what}" for line, what in sorted(problems))


def parse_code(code: str) -> ast.Module:
    """Return the syntax tree of Python code. Raises ValueError, with the line, where it is none."""
    try:
        with warnings.catch_warnings(
            action="ignore"
        ):  # an escape such as "\\w" outside a raw string works all the same
            return ast.parse(code)
    except SyntaxError as error:
        raise ValueError(f"line {error.lineno}: it is not Python: {error.msg}") from error
    except RecursionError as error:
        raise ValueError("it is nested too deeply") from error


def _check_node(node: ast.AST) -> Iterator[tuple[int, str]]:
    for line, module in _imported(node):
        if module.split(".")[0] not in ALLOWED_MODULES:
            yield line, f"imports {module}, which a script has no need of"
    if isinstance(node, ast.Name) and node.id in _NEVER:
        yield node.lineno, f"uses {node.id}"
    if isinstance(node, ast.Attribute):
        owner = node.value
        if isinstance(owner, ast.Name) and owner.id == "os" and _is_os_action(node.attr):
            yield node.lineno, f"uses os.{node.attr}"
        if node.attr in {"__subclasses__", "__globals__", "__builtins__", "__bases__", "__mro__", "__code__"}:
            yield node.lineno, f"uses {node.attr}"


def _is_os_action(name: str) -> bool:
    return name in _OS_CALLS or name.startswith(("exec", "spawn", "posix_spawn"))


def _check_part(node: ast.AST, part: str) -> Iterator[tuple[int, str]]:
    """`preprocess` and `read_logits` turn a value into another one: no files, no process, no printing."""
    if isinstance(node, ast.Name) and (node.id in _NOT_IN_PARTS or node.id in _NOT_IN_PARTS_MODULES):
        yield node.lineno, f"{part} uses {node.id}"
    for line, module in _imported(node):
        if module.split(".")[0] in _NOT_IN_PARTS_MODULES:
            yield line, f"{part} imports {module}"


def _imported(node: ast.AST) -> Iterator[tuple[int, str]]:
    if isinstance(node, ast.Import):
        for alias in node.names:
            yield node.lineno, alias.name
    elif isinstance(node, ast.ImportFrom):
        yield node.lineno, "." * node.level + (node.module or "")
