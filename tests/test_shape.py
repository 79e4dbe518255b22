"""What the architecture promises about imports, and what keeps files readable."""

from __future__ import annotations

import ast
import graphlib
import json
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

import playground
from tests.patience import LIMIT_S

PACKAGE = Path(playground.__file__).parent
ROOT = PACKAGE.parent
FILES = sorted(PACKAGE.rglob("*.py"))
PROGRAMS = [*FILES, *(path for path in [ROOT / "app.py"] if path.exists())]

LEVELS = {
    0: "types specs errors headers addresses masking",
    1: "settings catalog library images meter memory interference fit votes standings answer asking figures pairs "
    "report weights tokens line machine disk modelscope blind names hub space progress starved adapters "
    "budget passwords",
    2: "engines export counting room policy",
    3: "pool seat compare entrant arena",
    4: "parts inventory fetching",
    5: "ui cli",
    6: "__main__ app",
}
LEVEL = {name: level for level, names in LEVELS.items() for name in names.split()}

BESIDE = {
    ("answer", "meter"): "an answer carries its figures, and there must be one definition of them",
    ("pairs", "catalog"): "a pair is chosen from the rows of a catalog: its parameter, not its knowledge",
    ("pairs", "machine"): "a pair is chosen by what a machine has: its parameter, not its knowledge",
    ("pairs", "fit"): "a pair is two models that fit here together",
    ("compare", "entrant"): "a race is of entrants; it has grown long",
    ("pool", "seat"): "a pool is seats; it has grown long",
    ("specs", "addresses"): "whether a row computes on this machine is a matter of its address",
    (
        "settings",
        "budget",
    ): "what visitors may spend is told in the budget's words, and there must be one reader of them",
    ("types", "specs"): "a row is one of the nouns; it has grown long",
    ("weights", "adapters"): "an adapter lies on weights",
    ("adapters", "hub"): "the Hub is one of the places where adapters come from",
    ("hub", "disk"): "a download is refused before it begins where the disk has no room",
    ("weights", "disk"): "a download is refused before it begins where the disk has no room",
    ("modelscope", "hub"): "another hub of models, whose files come in the same way",
    ("weights", "modelscope"): "ModelScope is one of the places where weights come from",
    ("weights", "hub"): "the Hub is one of the places where weights come from",
    ("fit", "machine"): "a fit is judged against what a machine has: its parameter, not its knowledge",
}
"""Imports within one level, each with its reason. The fewer the better."""


def name_of(path: Path) -> str:
    """`playground.engines.client` for playground/engines/client.py, `app` for app.py."""
    parts = list(path.relative_to(ROOT).with_suffix("").parts)
    return ".".join(parts[:-1] if parts[-1] == "__init__" else parts)


MODULES = {name_of(path): path for path in PROGRAMS}


def imports(path: Path) -> Iterator[str]:
    """Full names of all that a file imports, wherever in it: `gradio`, `playground.votes`."""
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, f"{path.name}, line {node.lineno}: write the whole name of what is imported"
            for alias in node.names:
                inner = f"{node.module}.{alias.name}"
                yield inner if inner in MODULES else str(node.module)


def part(module: str) -> str:
    """The name in the level table: `engines` for playground.engines.client, `votes` for playground.votes."""
    if module.endswith("_child"):  # a program of its own, started by the engine beside it
        return "__main__"
    pieces = module.split(".")
    return pieces[1] if pieces[0] == "playground" and len(pieces) > 1 else pieces[0]


OWN = [
    (name, target)
    for name, path in MODULES.items()
    for target in sorted(set(imports(path)))
    if target.startswith("playground.")
]


def test_every_module_has_a_level():
    assert {part(name) for name in MODULES} - {"playground"} <= set(LEVEL)


def test_every_import_of_our_own_is_of_a_module_that_exists():
    assert [pair for pair in OWN if pair[1] not in MODULES] == []


@pytest.mark.parametrize(("name", "target"), OWN, ids=lambda name: str(name).removeprefix("playground."))
def test_imports_point_down_and_modules_of_one_level_do_not_import_each_other(name: str, target: str):
    importer, imported = part(name), part(target)
    if importer == imported:  # within engines/ or ui/: see the test of circles
        return
    assert LEVEL[imported] <= LEVEL[importer], f"{importer} is below {imported}"
    if LEVEL[imported] == LEVEL[importer]:
        assert (importer, imported) in BESIDE, f"{importer} and {imported} are of one level"


def test_every_exception_is_still_needed():
    assert set(BESIDE) <= {(part(name), part(target)) for name, target in OWN}
    assert all(LEVEL[one] == LEVEL[two] for one, two in BESIDE)


def test_no_imports_run_in_a_circle():
    graph: dict[str, set[str]] = {}
    for name, target in OWN:
        if name != "playground.engines":  # it opens engines when they are needed, not when it is imported
            graph.setdefault(name, set()).add(target)
    assert list(graphlib.TopologicalSorter(graph).static_order())


def importers(*libraries: str) -> set[str]:
    return {
        path.relative_to(ROOT).as_posix()
        for path in PROGRAMS
        if any(target.split(".")[0] in libraries for target in imports(path))
    }


def test_only_the_page_knows_gradio():
    known = importers("gradio", "gradio_client")
    assert {path for path in known if not path.startswith("playground/ui/")} <= {"app.py"}
    assert "playground/ui/show.py" not in known


def test_only_the_engine_for_zerogpu_and_child_programs_know_torch():
    inside = {"playground/engines/zerogpu.py", "playground/engines/inside.py"}
    assert {path for path in importers("torch") if not path.endswith("_child.py")} <= inside
    assert importers("spaces") == {"playground/engines/zerogpu.py"}
    assert {name for name, target in OWN if target == "playground.engines.inside"} == {"playground.engines.zerogpu"}
    assert {name for name, target in OWN if target == "playground.engines.zerogpu"} == {"playground.engines"}


def test_only_settings_read_the_environment():
    readers = set()
    for path in PROGRAMS:
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            names = [alias.name for alias in node.names] if isinstance(node, ast.ImportFrom) else []
            if isinstance(node, ast.Attribute) and isinstance(node.value, ast.Name) and node.value.id == "os":
                names = [node.attr]
            if {"environ", "environb", "getenv", "getenvb"} & set(names):
                readers.add(path.relative_to(ROOT).as_posix())
    assert readers == {"playground/settings.py"}


def test_no_function_changes_a_variable_of_its_module():
    for path in PROGRAMS:
        found = [node.lineno for node in ast.walk(ast.parse(path.read_text("utf-8"))) if isinstance(node, ast.Global)]
        assert found == [], f"{path.name} has `global` in line {found}"


@pytest.mark.parametrize("path", PROGRAMS, ids=lambda path: path.relative_to(ROOT).as_posix())
def test_a_module_opens_with_what_it_knows(path: Path):
    assert ast.get_docstring(ast.parse(path.read_text(encoding="utf-8")))


def test_the_app_is_settings_parts_page_and_launch_and_nothing_else():
    assert len((ROOT / "app.py").read_text(encoding="utf-8").splitlines()) <= 45


HEAVY = ("torch", "transformers", "accelerate", "xllamacpp")


@pytest.mark.parametrize(
    ("module", "absent"),
    [
        ("app", ("gradio", *HEAVY)),
        ("playground.cli", ("gradio", *HEAVY)),
        ("playground.ui.show", ("gradio", *HEAVY)),
        ("playground.ui.page", HEAVY),
    ],
)
def test_a_front_end_opens_without_what_it_does_not_need(module: str, absent: tuple[str, ...]):
    code = (
        f"import sys, json; sys.path.insert(0, {str(ROOT)!r}); import {module}; "
        f"print(json.dumps([name for name in {absent!r} if name in sys.modules]))"
    )
    run = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, timeout=LIMIT_S, check=False)
    assert run.returncode == 0, run.stderr
    assert json.loads(run.stdout) == []
