"""The stub and the module have the same names and say the same.

After a change of documentation in Rust: ``VOIP_WRITE_STUB=1 pytest tests/test_stub.py`` copies it into
the stub.
"""

import ast
import inspect
import os
import subprocess
import sys
from pathlib import Path

import pytest

import voip
from voip import _voip, aio

PACKAGE = Path(__file__).parents[1] / "python" / "voip"
STUB = PACKAGE / "_voip.pyi"
# What every Python class has; and what is there for `voip.aio`.
INHERITED = {*dir(object), "__module__", "__match_args__", "__bytes__"}


def documented(body: list[ast.stmt], prefix: str = "") -> dict[str, str | None]:
    """What classes, functions and properties of a stub say, by their dotted names."""
    said: dict[str, str | None] = {}
    for node in body:
        if isinstance(node, ast.ClassDef | ast.FunctionDef):
            name = prefix + node.name
            if node.name.startswith("_") or any("setter" in ast.dump(d) for d in node.decorator_list):
                continue
            said[name] = ast.get_docstring(node)
            if isinstance(node, ast.ClassDef):
                said.update(documented(node.body, f"{name}."))
    return said


def at_runtime(name: str) -> object:
    found: object = _voip
    for part in name.split("."):
        found = inspect.getattr_static(found, part)
    return found


def runtime_names() -> set[str]:
    names = set()

    def look(holder: object, prefix: str) -> None:
        for name, value in vars(holder).items():
            if name.startswith("_") or name in ("VERSION",):
                continue
            names.add(prefix + name)
            if inspect.isclass(value):
                look(value, f"{prefix}{name}.")

    look(_voip, "")
    return names


def test_the_stub_has_the_names_of_the_module() -> None:
    in_stub = documented(ast.parse(STUB.read_text()).body)
    assert set(in_stub) == runtime_names()
    assert sorted(_voip.__all__) == sorted(n for n in {*runtime_names(), "VERSION"} if "." not in n)


def test_every_name_has_a_docstring_the_same_in_both() -> None:
    in_stub = documented(ast.parse(STUB.read_text()).body)
    different = []
    for name, said in in_stub.items():
        really = inspect.getdoc(at_runtime(name))
        assert really, f"{name} has no docstring"
        if said is None or inspect.cleandoc(said) != inspect.cleandoc(really):
            different.append(name)
    if different and os.environ.get("VOIP_WRITE_STUB"):
        write(different)
    assert not different


def write(names: list[str]) -> None:
    """Puts the docstrings of the module in place of those of the stub."""
    lines = STUB.read_text().splitlines()
    places = []

    def look(body: list[ast.stmt], prefix: str) -> None:
        for node in body:
            if isinstance(node, ast.ClassDef | ast.FunctionDef):
                if prefix + node.name in names:
                    first = node.body[0]
                    places.append((first.lineno - 1, first.end_lineno, prefix + node.name))
                if isinstance(node, ast.ClassDef):
                    look(node.body, f"{prefix}{node.name}.")

    look(ast.parse("\n".join(lines)).body, "")
    for start, end, name in sorted(places, reverse=True):
        indent = lines[start][: len(lines[start]) - len(lines[start].lstrip())]
        text = inspect.getdoc(at_runtime(name)).replace("\\", "\\\\").splitlines()
        said = [f'{indent}"""{text[0]}', *(f"{indent}{line}".rstrip() for line in text[1:])]
        if len(text) == 1:
            said[0] += '"""'
        else:
            said.append(f'{indent}"""')
        lines[start:end] = said
    STUB.write_text("\n".join(lines) + "\n")


@pytest.mark.parametrize("module", [voip, aio])
def test_every_public_name_of_the_package_is_documented(module: object) -> None:
    for name in module.__all__:
        value = getattr(module, name)
        if isinstance(value, str):
            continue
        assert inspect.getdoc(value), name
        if not inspect.isclass(value):
            continue
        for inner, part in vars(value).items():
            is_code = callable(part) or isinstance(part, property)
            if not inner.startswith("_") and is_code:
                assert inspect.getdoc(part), f"{name}.{inner}"


def test_help_shows_it() -> None:
    shown = subprocess.run(
        [sys.executable, "-c", "import voip; help(voip.Node); help(voip.CallStats)"],
        capture_output=True,
        text=True,
        timeout=30,
        env={**os.environ, "PAGER": "cat"},
    ).stdout
    assert "Returns a `Call` at" in shown
    assert "ring_timeout=45.0" in shown, "the signature"
    assert "RTP packets sent." in shown


def test_everything_is_in_all() -> None:
    names = {name for name in vars(voip) if not name.startswith("_")}
    assert names - {"aio"} == set(voip.__all__)
    assert {name for name in aio.__all__} == {"Node", "Call"}
    assert voip.__version__ == voip.VERSION


def test_errors_are_one_for_each_kind() -> None:
    classes = {c for c in vars(voip).values() if inspect.isclass(c) and issubclass(c, voip.Error)}
    classes.discard(voip.Error)
    assert {c.kind for c in classes} == set(voip.ErrorKind)
    assert len(classes) == len(voip.ErrorKind)
    for c in classes:
        assert c.code == c.kind.value and str(c("why")) == "why"


def mypy(*args: str) -> None:
    pytest.importorskip("mypy")
    done = subprocess.run(
        [sys.executable, "-m", *args], capture_output=True, text=True, timeout=120
    )
    assert done.returncode == 0, done.stdout + done.stderr


def test_types_fit_the_module() -> None:
    mypy("mypy.stubtest", "voip", "--ignore-disjoint-bases")


def test_types_are_strict() -> None:
    examples = Path(__file__).parents[2] / "examples" / "python"
    mypy("mypy", "--strict", "-p", "voip")
    for program in sorted(examples.glob("*.py")):
        mypy("mypy", "--check-untyped-defs", str(program))
