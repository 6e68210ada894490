"""ARCHITECTURE.md is complete, and the import arrows that it draws hold."""

from __future__ import annotations

import ast
import os
import re
import subprocess
import sys
import tomllib
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
SOURCE_ROOTS = ("client", "server", "export", "training")
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))
WHEEL = [ROOT / path for path in PROJECT["tool"]["hatch"]["build"]["targets"]["wheel"]["packages"]]
PACKAGES = {path.name: path for path in WHEEL if path.is_dir()}


@dataclass(frozen=True)
class Arrows:
    """What one package, or a part of one, may and may not import."""

    ours: tuple[str, ...] = ()
    """Packages of ours, or parts of them, that it may import besides itself."""
    never: tuple[str, ...] = ()
    """Libraries that it may not import, not even late."""


ONNX_LIBRARIES = ("onnx", "onnxscript", "onnx_ir")
ARROWS = {
    "ferryman": Arrows(never=("numpy", "torch", "onnxruntime", "pydantic", *ONNX_LIBRARIES)),
    "ferryman_bundle": Arrows(never=("torch", "onnxruntime", "grpc", *ONNX_LIBRARIES)),
    "ferryman_quality": Arrows(never=("torch", "onnxruntime", "grpc", "pydantic", *ONNX_LIBRARIES)),
    "ferryman_training": Arrows(
        ours=("ferryman_bundle", "ferryman_quality"), never=("onnxruntime", "grpc", *ONNX_LIBRARIES)
    ),
    "ferryman_server": Arrows(
        ours=("ferryman", "ferryman_bundle", "ferryman_quality"), never=("torch", *ONNX_LIBRARIES)
    ),
    "ferryman_server.engine": Arrows(
        ours=("ferryman_bundle",), never=("onnxruntime", "grpc", "pydantic")
    ),
    "ferryman_server.runtime": Arrows(
        ours=("ferryman_bundle", "ferryman_server.engine"), never=("grpc", "pydantic")
    ),
    "ferryman_export": Arrows(
        ours=(
            "ferryman_bundle",
            "ferryman_quality",
            "ferryman_training",
            "ferryman_server.engine",
            "ferryman_server.runtime",
        ),
        never=("grpc",),
    ),
}
"""Which way imports may point; the drawing of it is in ARCHITECTURE.md."""


def imported_modules(source: str, *, package: str) -> Iterator[str]:
    """Yield the dotted name of everything that a module imports, late imports included.

    Args:
        source: The text of the module.
        package: The package that its relative imports start from.
    """
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            parents = package.split(".")[: len(package.split(".")) - node.level + 1]
            base = ".".join([*(parents if node.level else []), *filter(None, [node.module])])
            # `from package import part` imports the part, when there is one.
            yield from (f"{base}.{alias.name}" for alias in node.names)


def is_within(module: str, package: str) -> bool:
    """Tell whether a module is a package or inside of it."""
    return module == package or module.startswith(package + ".")


def violations(module: str, parent: str, arrows: Arrows) -> Iterator[str]:
    """Yield why a module of the package `parent` may not be imported, if it may not."""
    ours = any(is_within(module, name) for name in ARROWS)
    if ours and not any(is_within(module, allowed) for allowed in (parent, *arrows.ours)):
        yield f"{parent} may not import {module}: the arrows of ARCHITECTURE.md"
    if any(is_within(module, name) for name in arrows.never):
        yield f"{parent} may not import {module}: not its library"


def source_files(package: Path) -> list[Path]:
    """Return the modules of a package, without generated stubs."""
    return sorted(p for p in package.rglob("*.py") if not re.search(r"_pb2(_grpc)?\.py$", p.name))


def folder_of(part: str) -> Path:
    """Return the folder of a package or of a part of one."""
    name, *rest = part.split(".")
    return PACKAGES.get(name, ROOT / "absent").joinpath(*rest)


def module_name(path: Path, package: str) -> str:
    """Return the dotted name of a module file."""
    parts = path.relative_to(PACKAGES[package]).with_suffix("").parts
    return ".".join([package, *(part for part in parts if part != "__init__")])


def documented_files(package: str) -> set[str]:
    """Return the files that ARCHITECTURE.md lists in the section of a package."""
    text = (ROOT / "ARCHITECTURE.md").read_text(encoding="utf-8")
    section = re.search(rf"^### `{package}`.*?$(.*?)(?=^##|\Z)", text, re.MULTILINE | re.DOTALL)
    assert section, f"ARCHITECTURE.md has no section headed ### `{package}`"
    return set(re.findall(r"^\| `([^`]+\.py)` \|", section[1], re.MULTILINE))


def purpose(path: Path) -> str:
    """Return what a module says it is for, in its first line."""
    lines = (ast.get_docstring(ast.parse(path.read_text(encoding="utf-8"))) or "").splitlines()
    return lines[0].rstrip(".") if lines else "what it is for"


def test_every_package_on_disk_is_in_the_wheel() -> None:
    on_disk = {p.parent for root in SOURCE_ROOTS for p in (ROOT / root).glob("*/__init__.py")}
    assert on_disk
    assert on_disk <= set(WHEEL)
    assert {path.name for path in on_disk} == set(PACKAGES)


@pytest.mark.parametrize("package", PACKAGES)
def test_architecture_lists_every_source_file_and_no_other(package: str) -> None:
    files = {
        path.relative_to(PACKAGES[package]).as_posix(): path
        for path in source_files(PACKAGES[package])
        if path.name != "__init__.py"
    }
    listed = documented_files(package)
    missing = [f"| `{name}` | {purpose(files[name])} |" for name in sorted(files.keys() - listed)]
    assert not missing, f"add under ### `{package}`:\n" + "\n".join(missing)
    assert listed <= files.keys(), f"listed under ### `{package}`, but not there"


@pytest.mark.parametrize("part", [name for name in ARROWS if folder_of(name).is_dir()])
def test_imports_point_one_way(part: str) -> None:
    found, faults = 0, []
    for path in source_files(folder_of(part)):
        name = module_name(path, part.partition(".")[0])
        parent = name if path.name == "__init__.py" else name.rpartition(".")[0]
        for module in imported_modules(path.read_text(encoding="utf-8"), package=parent):
            found += 1
            wrong = violations(module, part, ARROWS[part])
            faults += [f"{path.relative_to(ROOT)}: {fault}" for fault in wrong]
    assert found > 0
    assert faults == []


@pytest.mark.parametrize("package", [name for name in PACKAGES if ARROWS[name].never])
def test_importing_everything_of_a_package_loads_nothing_it_may_not(package: str) -> None:
    modules = [
        module_name(path, package)
        for path in source_files(PACKAGES[package])
        if path.name != "__main__.py"
    ]
    assert loaded_by(modules, ARROWS[package].never) == []


@pytest.mark.skipif("ferryman" not in PACKAGES, reason="the client is not in this tree")
def test_the_brand_import_is_light() -> None:
    heavy = ("numpy", "torch", "onnx", "onnxruntime", "pydantic", "rich", "typer")
    assert loaded_by(["ferryman"], heavy) == []


def loaded_by(modules: list[str], watched: tuple[str, ...]) -> list[str]:
    """Return which of the watched modules a fresh interpreter loads with some modules."""
    program = (
        "import importlib, sys\n"
        f"for name in {modules!r}: importlib.import_module(name)\n"
        f"print(*[name for name in {watched!r} if name in sys.modules])"
    )
    paths = os.pathsep.join(str(ROOT / root) for root in SOURCE_ROOTS)
    finished = subprocess.run(
        [sys.executable, "-c", program],
        env={**os.environ, "PYTHONPATH": paths},
        capture_output=True,
        text=True,
        check=False,
    )
    assert finished.returncode == 0, finished.stderr
    return finished.stdout.split()


def test_the_reader_of_imports_sees_late_relative_and_nested_ones() -> None:
    source = (
        "import torch.nn\n"
        "from ferryman_server import engine\n"
        "def late():\n"
        "    from . import text\n"
        "    from ..runtime.session import Session\n"
    )
    assert sorted(imported_modules(source, package="ferryman_server.engine")) == [
        "ferryman_server.engine",
        "ferryman_server.engine.text",
        "ferryman_server.runtime.session.Session",
        "torch.nn",
    ]


def test_a_wrong_arrow_and_a_wrong_library_are_found() -> None:
    server = ARROWS["ferryman_server"]
    assert list(violations("ferryman_bundle.manifest", "ferryman_server", server)) == []
    assert list(violations("ferryman_servers", "ferryman_server", server)) == []
    assert len(list(violations("ferryman_training.config", "ferryman_server", server))) == 1
    assert len(list(violations("torch.nn", "ferryman_server", server))) == 1
    engine = ARROWS["ferryman_server.engine"]
    assert len(list(violations("ferryman_server.service", "ferryman_server.engine", engine))) == 1
