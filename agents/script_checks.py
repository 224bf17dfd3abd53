"""What a generated script must not do, read from its syntax tree.

It finds mistakes and plain mischief early, with a line to mend. It does not contain code: the sandbox does.
"""

import ast
import symtable
import sys
import warnings
from collections.abc import Callable, Iterator
from typing import TypeVar

T = TypeVar("T")

ALLOWED_MODULES = frozenset(
    {
        "__future__", "argparse", "collections", "contextlib", "dataclasses", "functools", "gc", "hashlib", "html",
        "inspect", "io", "itertools", "json", "logging", "math", "numpy", "os", "pathlib", "peft", "pyarrow", "random",
        "re", "safetensors", "string", "sys", "time", "torch", "traceback", "transformers", "typing", "unicodedata",
        "warnings",
    }
)  # fmt: skip
"""What a generated script may import: what runs a model, and harmless parts of the standard library."""

_NEVER = frozenset(
    {"eval", "exec", "compile", "__import__", "globals", "vars", "breakpoint", "input", "__builtins__", "__loader__"}
)
_SETTINGS = {"trust_remote_code": False, "use_safetensors": True, "local_files_only": True, "allow_pickle": False}
"""What is said when something is loaded, and the only value that it may have."""

_OS_CALLS = frozenset(
    {"system", "popen", "fork", "kill", "remove", "unlink", "rmdir", "putenv", "chmod", "chown", "symlink", "link"}
)
_NEVER_ATTRIBUTES = frozenset(
    {
        *("__subclasses__", "__globals__", "__builtins__", "__bases__", "__mro__", "__code__", "__import__"),
        *("getenv", "environb", "hub", "jit", "package", "serialization", "cpp_extension", "load_library", "fromfile"),
    }
)

_PARTS = frozenset({"preprocess", "read_logits"})
_PART_MODULES = frozenset({"html", "math", "re", "torch", "torch.nn", "torch.nn.functional", "unicodedata"})
_PART_NAMES = frozenset(
    {
        "torch", "abs", "all", "any", "bool", "bytes", "chr", "dict", "divmod", "enumerate", "filter", "float",
        "frozenset", "hasattr", "int", "isinstance", "iter", "len", "list", "map", "max", "min", "next", "ord", "pow",
        "range", "repr", "reversed", "round", "set", "slice", "sorted", "str", "sum", "tuple", "zip", "Exception",
        "AttributeError", "IndexError", "KeyError", "StopIteration", "TypeError", "ValueError", "UnicodeError",
    }
)  # fmt: skip
"""What a part may use that it did not make itself: no files, no printing, no process, nothing of the script's."""

_PART_NEVER_ATTRIBUTES = (sys.stdlib_module_names - {"copy", "select", "string"}) | {
    *("classes", "distributed", "dump", "format", "format_map", "from_file", "library", "multiprocessing", "ops"),
    *("save", "tofile", "utils"),
}
"""Ways from a value to a file or to a module (`torch.os`); `str.format` reads attributes that its text names."""


def check_script(script: str, *, whole: bool = False) -> tuple[str, ...]:
    """Return what speaks against a script, with line numbers; () where nothing does.

    `whole`: it was written whole, so that no function of it is a part that stands in a template.
    """
    try:
        tree, scopes = parse_code(script), _read_scopes(script)
    except ValueError as error:
        return (str(error),)
    agreed = _find_agreed(tree)
    problems = {
        problem
        for node in ast.walk(tree)
        if id(node) not in agreed
        for problem in (*_check_node(node), *_check_loading(node))
    }
    for node in () if whole else ast.walk(tree):
        if isinstance(node, ast.FunctionDef) and node.name in _PARTS:
            problems.update(problem for inner in ast.walk(node) for problem in _check_part(inner, node.name))
            problems.update(_check_names(node, scopes))
    return tuple(f"line {line}: {what}" for line, what in sorted(problems))


def parse_code(code: str) -> ast.Module:
    """Return the syntax tree of Python code. Raises ValueError, with the line, where it is none."""
    return _read_code(code, ast.parse)


def _read_scopes(code: str) -> symtable.SymbolTable:
    """Return which names belong to which function. Raises ValueError, with the line, where it is no Python."""
    return _read_code(code, lambda text: symtable.symtable(text, "script", "exec"))


def _read_code(code: str, read: Callable[[str], T]) -> T:
    try:
        with warnings.catch_warnings(
            action="ignore"
        ):  # an escape such as "\\w" outside a raw string works all the same
            return read(code)
    except SyntaxError as error:
        raise ValueError(f"line {error.lineno}: it is not Python: {error.msg}") from error
    except RecursionError as error:
        raise ValueError("it is nested too deeply") from error


def _find_agreed(tree: ast.Module) -> set[int]:
    """Return the ids of nodes that only look like a problem: `{"trust_remote_code": False}`, and setting a variable of
    the environment, which reads none."""
    agreed: set[int] = set()
    for node in ast.walk(tree):
        if isinstance(node, ast.Dict):
            agreed |= {
                id(key)
                for key, value in zip(node.keys, node.values, strict=True)
                if isinstance(key, ast.Constant) and _is_agreed(key.value, value)
            }
        if isinstance(node, ast.Subscript) and isinstance(node.ctx, ast.Store):
            agreed.add(id(node.value))
        if isinstance(node, ast.Expr) and isinstance(node.value, ast.Call):
            called = node.value.func
            if isinstance(called, ast.Attribute) and called.attr == "setdefault":
                agreed.add(id(called.value))
    return agreed


def _is_agreed(name: object, value: ast.expr) -> bool:
    return name in _SETTINGS and isinstance(value, ast.Constant) and value.value is _SETTINGS[str(name)]


def _check_node(node: ast.AST) -> Iterator[tuple[int, str]]:
    for line, module in _imported(node):
        if module.split(".")[0] not in ALLOWED_MODULES:
            yield line, f"imports {module}, which a script has no need of"
    for line, name in _named(node):
        if name in _NEVER_ATTRIBUTES or name == "environ":
            yield line, f"uses {name}"
    match node:
        case ast.Name(id=name) if name in _NEVER:
            yield node.lineno, f"uses {name}"
        case ast.Attribute(value=ast.Name(id="os"), attr=name) if _is_os_action(name):
            yield node.lineno, f"uses os.{name}"
        case ast.ImportFrom(module="os"):
            yield node.lineno, "imports from os; write os.path and the like in full"


def _check_loading(node: ast.AST) -> Iterator[tuple[int, str]]:
    """Only safetensors are ever loaded, and no code that comes with them."""
    match node:
        case ast.Attribute(value=owner, attr="load") if not (isinstance(owner, ast.Name) and owner.id == "json"):
            yield node.lineno, "uses load, which may run code; weights are loaded by from_pretrained"
        case ast.ImportFrom(module=module) if module != "json" and any(alias.name == "load" for alias in node.names):
            yield node.lineno, "imports load, which may run code; weights are loaded by from_pretrained"
        case ast.keyword(arg=str(name)) if name in _SETTINGS and not _is_agreed(name, node.value):
            yield node.value.lineno, f"{name} may only be {_SETTINGS[name]}"
        case ast.Constant(value=str(name)) | ast.Attribute(attr=name) if name in _SETTINGS:
            yield node.lineno, f"{name} may only be {_SETTINGS[name]}"


def _is_os_action(name: str) -> bool:
    return name in _OS_CALLS or name.startswith(("exec", "spawn", "posix_spawn"))


def _check_part(node: ast.AST, part: str) -> Iterator[tuple[int, str]]:
    """`preprocess` and `read_logits` turn a value into another one: no files, no process, no printing."""
    for line, module in _imported(node):
        if module not in _PART_MODULES:
            yield line, f"{part} imports {module}"
    for line, name in _named(node):
        if name in _PART_NEVER_ATTRIBUTES or name.startswith("_"):
            yield line, f"{part} uses {name}"


def _check_names(part: ast.FunctionDef, scopes: symtable.SymbolTable) -> Iterator[tuple[int, str]]:
    """What a part takes from outside itself, in whatever scope inside it."""
    lines: dict[str, int] = {}
    for node in ast.walk(part):
        if isinstance(node, ast.Name):
            lines.setdefault(node.id, node.lineno)
    for name in _find_outer_names(scopes, part.name):
        if name not in _PART_NAMES:
            yield lines.get(name, part.lineno), f"{part.name} uses {name}"


def _find_outer_names(table: symtable.SymbolTable, part: str, *, inside: bool = False) -> Iterator[str]:
    inside = inside or (table.get_name() == part and table.get_type() == "function")
    if inside:
        yield from (symbol.get_name() for symbol in table.get_symbols() if symbol.is_global())
    for child in table.get_children():
        yield from _find_outer_names(child, part, inside=inside)


def _named(node: ast.AST) -> Iterator[tuple[int, str]]:
    """Yield the names that a node takes from a value or a module: `x.name`, `import x.name`, `from x import name`."""
    if isinstance(node, ast.Attribute):
        yield node.lineno, node.attr
    elif isinstance(node, ast.Import):
        for alias in node.names:
            yield from ((node.lineno, step) for step in alias.name.split(".")[1:])
    elif isinstance(node, ast.ImportFrom):
        steps = [*(node.module or "").split(".")[1:], *(alias.name for alias in node.names)]
        yield from ((node.lineno, step) for step in steps)


def _imported(node: ast.AST) -> Iterator[tuple[int, str]]:
    if isinstance(node, ast.Import):
        for alias in node.names:
            yield node.lineno, alias.name
    elif isinstance(node, ast.ImportFrom):
        yield node.lineno, "." * node.level + (node.module or "")
