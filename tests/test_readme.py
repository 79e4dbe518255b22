"""The README says what is so: its commands, its tree and its table of models are checked against the code."""

from __future__ import annotations

import re
import shlex
import subprocess
import sys
from itertools import pairwise
from pathlib import Path

import pytest

from playground import budget, catalog, cli, pairs, settings
from tests import models_table

ROOT = Path(__file__).resolve().parent.parent
README = (ROOT / "README.md").read_text(encoding="utf-8")
BLOCKS = re.findall(r"```(\w*)\n(.*?)```", README, re.DOTALL)
COMMANDS = [line for kind, text in BLOCKS if kind == "bash" for line in text.splitlines() if line.strip()]
TREE = next(text for kind, text in BLOCKS if not kind and "app.py" in text)


def _tree() -> list[str]:
    """Paths of the tree, folders by their indent of two."""
    paths: list[str] = []
    folders: list[str] = []
    for line in TREE.splitlines():
        name, depth = line.split()[0], (len(line) - len(line.lstrip())) // 2
        folders = folders[:depth]
        paths.append("".join(folders) + name)
        if name.endswith("/"):
            folders.append(name)
    return paths


def test_every_path_of_the_tree_exists() -> None:
    assert [path for path in _tree() if not (ROOT / path).exists()] == []


def test_the_tree_names_every_module_and_every_folder_at_the_top() -> None:
    modules = {
        f"playground/{path.name}" for path in (ROOT / "playground").glob("*.py") if not path.name.startswith("__")
    }
    assert modules - set(_tree()) == set()
    kept = subprocess.run(["git", "ls-files"], cwd=ROOT, capture_output=True, text=True, check=True).stdout.split("\n")
    folders = {f"{path.split('/')[0]}/" for path in kept if "/" in path and not path.startswith(".")}
    assert folders - {path.split("/")[0] + "/" for path in _tree() if "/" in path} == set()


def test_the_table_of_models_is_the_catalog() -> None:
    keys: list[str] = []
    for stem, ways in re.findall(r"^\| `([^`]+)` \| [^|]+ \| ((?:alone|`-)[^|]*) \|$", README, re.MULTILINE):
        keys += [stem] if ways.startswith("alone") else []
        keys += [stem + way for way in re.findall(r"`(-[^`]+)`", ways)]
    assert sorted(keys) == sorted(spec.key for spec in catalog.load())


def test_the_page_of_models_is_what_the_catalog_says() -> None:
    assert models_table.PAGE.read_text(encoding="utf-8") == models_table.page(), "run: python -m tests.models_table"


def test_the_table_of_named_pairs_is_what_the_menu_offers() -> None:
    table = README.split("| name | compares |")[1].split("\n\n")[0]
    assert re.findall(r"^\| `([^`]+)` \|", table, re.MULTILINE) == list(pairs.NAMED)


def test_the_example_of_own_rows_is_a_models_file(tmp_path: Path) -> None:
    (example,) = [text for kind, text in BLOCKS if kind == "toml"]
    (tmp_path / "models.toml").write_text(example, encoding="utf-8")
    assert [spec.key for spec in catalog.read(tmp_path / "models.toml", catalog.load())] == [
        "my-server",
        "my-gguf",
        "qwen3.5-9b-long",
        "my-tuned-9b",
    ]


@pytest.mark.parametrize("command", COMMANDS)
def test_every_command_can_be_run_as_it_stands(command: str) -> None:
    words = shlex.split(command)
    if words[0] == "pip":
        files = [word for flag, word in pairwise(words) if flag in ("-r", "-c")]
        assert files
        assert [file for file in files if not (ROOT / file).exists()] == []
    elif words[:3] == ["python", "-m", "playground"]:
        cli.parser({}).parse_args(words[3:])
    elif words[:2] == ["python", "app.py"]:
        settings.read(words[2:], {})
    else:
        assert words == ["python", "-m", "pytest"]


def test_every_flag_that_the_readme_names_exists() -> None:
    shown = subprocess.run(
        [sys.executable, ROOT / "app.py", "--help"], capture_output=True, text=True, check=True
    ).stdout
    in_prose = set(re.findall(r"`(--[a-z-]+)", re.sub(r"```.*?```", "", README, flags=re.DOTALL)))
    assert {flag for flag in in_prose if flag not in shown} == {"--json"}


def test_every_command_and_flag_of_the_page_on_security_exists() -> None:
    text = (ROOT / "docs" / "security.md").read_text(encoding="utf-8")
    commands = [line for block in re.findall(r"```bash\n(.*?)```", text, re.DOTALL) for line in block.splitlines()]
    assert len(commands) >= 3
    for command in commands:
        test_every_command_can_be_run_as_it_stands(command)
    known = settings.page_parser({}).format_help()
    flags = set(re.findall(r"`(--[a-z-]+)", text))
    assert {"--owner-token", "--open", "--offer", "--auth-file", "--budget"} <= flags
    assert {flag for flag in flags if flag not in known} == set()
    assert budget.DEFAULT in text


def test_the_picture_is_there() -> None:
    (path,) = re.findall(r"!\[[^]]+\]\(([^)]+)\)", README)
    assert (ROOT / path).stat().st_size > 10_000
