"""Whether a Python script runs its own `main()`: read from its text, without running it.

Its `main()` is called for it unless the script does so itself. It does when code at its top level (or in
`if __name__ == "__main__":`) calls `main`, hands it to a call (`asyncio.run(main())`, `typer.run(main)`), or
calls something of the same file that gets there. When in doubt the answer is that it does: a main that is
not run shows at once, a main that is run twice may be found out next month.

This module also runs inside of interpreters that are newer than the daemon's, whose syntax only they can
read; it is therefore plain Python 3.6 and imports next to nothing.
"""

import _ast

TYPE_CHECKING = False  # typing itself would cost more than all the rest
if TYPE_CHECKING:
    from collections.abc import Iterator

CALL = "call"
LEAVE = "leave"
ASK = "ask"

_FUNCTIONS = (_ast.FunctionDef, _ast.AsyncFunctionDef)
_SCOPES = (_ast.FunctionDef, _ast.AsyncFunctionDef, _ast.ClassDef)


def decide(source: bytes) -> str:
    """Return `call`, `leave` (no main, or it needs no call), or `ask` (only the script's Python knows)."""
    if b"main" not in source:
        return LEAVE
    try:
        tree = compile(source, "<script>", "exec", _ast.PyCF_ONLY_AST, dont_inherit=True)
    except (SyntaxError, ValueError):
        return ASK
    except (RecursionError, MemoryError):
        return LEAVE
    mentions = {}  # type: dict[str, set[str]]
    called = set()  # type: set[str]
    defined = _read(tree, mentions, called)
    return CALL if "main" in defined and not _reaches_main(mentions, called) else LEAVE


def _read(tree: _ast.AST, mentions: "dict[str, set[str]]", called: "set[str]") -> "set[str]":
    """Return the functions of the top level; note what each name of it mentions, and what its calls do."""
    defined = set()
    pending = [(tree, False)]
    while pending:
        node, in_call = pending.pop()
        if isinstance(node, _FUNCTIONS):
            defined.add(node.name)
        if isinstance(node, _SCOPES):
            mentions.setdefault(node.name, set()).update(_names(node))
            # @app.command() def main(): … app() gets to main without naming it.
            for decorator in node.decorator_list:
                for name in _names(decorator):
                    mentions.setdefault(name, set()).add(node.name)
            continue
        if isinstance(node, _ast.Assign):
            for target in _names(*node.targets):
                mentions.setdefault(target, set()).update(_names(node.value))
        if isinstance(node, _ast.Lambda):
            continue
        in_call = in_call or isinstance(node, _ast.Call)
        if in_call and isinstance(node, _ast.Name):
            called.add(node.id)
        pending.extend((child, in_call) for child in _children(node))
    return defined


def _reaches_main(mentions: "dict[str, set[str]]", called: "set[str]") -> bool:
    seen = set()  # type: set[str]
    pending = list(called)
    while pending:
        name = pending.pop()
        if name == "main":
            return True
        if name not in seen:
            seen.add(name)
            pending.extend(mentions.get(name, ()))
    return False


def _names(*nodes: _ast.AST) -> "set[str]":
    """Return every name that the nodes mention, at any depth."""
    names = set()  # type: set[str]
    pending = list(nodes)
    while pending:
        node = pending.pop()
        if isinstance(node, _ast.Name):
            names.add(node.id)
        pending.extend(_children(node))
    return names


def _children(node: _ast.AST) -> "Iterator[_ast.AST]":
    for field in node._fields:
        value = getattr(node, field, None)
        for item in value if isinstance(value, list) else (value,):
            if isinstance(item, _ast.AST):
                yield item
