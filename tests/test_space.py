"""What a Space demands is checked, each mistake is found, and this repository passes."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest

from playground import cli, space
from playground.errors import UsageError

ROOT = Path(__file__).resolve().parent.parent
MATTER = """title: Mine
emoji: ⚖️
colorFrom: blue
colorTo: yellow
sdk: gradio
sdk_version: "6.31.0"
python_version: "3.12"
app_file: app.py
"""


def git(root: Path, *words: str) -> None:
    subprocess.run(["git", "-c", "user.name=a", "-c", "user.email=a@b.c", *words], cwd=root, check=True)


@pytest.fixture
def root(tmp_path: Path) -> Path:
    """A repository that is a Space."""
    place = tmp_path / "space"
    place.mkdir()
    (place / "README.md").write_text(f"---\n{MATTER}---\n# Mine\n", encoding="utf-8")
    (place / "app.py").write_text("print()\n")
    (place / "requirements.txt").write_text("# why\ngradio>=6.31,<7\ntorch>=2.8  # open\n")
    (place / "pyproject.toml").write_text('[project]\nrequires-python = ">=3.11"\n')
    git(place, "init", "-q")
    git(place, "add", "-A")
    return place


def states(root: Path) -> dict[str, str]:
    return {each.name: each.state for each in space.check(root) if each.state != "ok"}


def complaint(root: Path, name: str) -> str:
    (found,) = [each for each in space.check(root) if each.name == name]
    assert found.state == "failed", found
    assert space.code(space.check(root)) == 1
    return found.said


def matter(root: Path, *lines: str, without: str = "") -> None:
    kept = "".join(f"{line}\n" for line in MATTER.splitlines() if not without or not line.startswith(without))
    (root / "README.md").write_text("---\n" + kept + "".join(f"{line}\n" for line in lines) + "---\n", "utf-8")


def add(root: Path, path: str, content: bytes) -> None:
    (root / path).parent.mkdir(parents=True, exist_ok=True)
    (root / path).write_bytes(content)
    git(root, "add", "-f", path)


def test_this_repository_can_be_a_space() -> None:
    assert [each for each in space.check(ROOT) if each.state != "ok"] == []


def test_a_repository_that_is_a_space_has_nothing_to_mend(root: Path) -> None:
    assert states(root) == {}
    assert space.code(space.check(root)) == 0


@pytest.mark.parametrize(
    ("line", "said"),
    [
        ("sdk_verson: x", "sdk_verson is not in the Hub's reference"),
        ("short_description: " + "x" * 61, "short_description is"),
        ("suggested_hardware: h100", "it must be one of cpu-basic"),
        ("suggested_storage: huge", "it must be one of small, medium, large"),
        ("pinned: often", "it must be true or false"),
        ("models: Qwen/Qwen3.5-9B", "it must be a list"),
        ("models: [a b]", "a list whose entries are each the id of a repository"),
        ("hf_oauth_scopes: [everything]", "a list whose entries are each one of email"),
        ("hf_oauth_expiration_minutes: 50000", "minutes up to 43200"),
        ("startup_duration_timeout: long", 'a time such as "1h"'),
        ("license: Apache 2.0", "the short name of a licence"),
        ("base_path: home", "begins with /"),
    ],
)
def test_a_field_of_the_front_matter_that_the_hub_would_not_take_is_named(root: Path, line: str, said: str) -> None:
    matter(root, line)
    assert said in complaint(root, "front matter")


@pytest.mark.parametrize(
    ("field", "value", "said"),
    [
        ("emoji", "emoji: A", "an emoji"),
        ("colorTo", "colorTo: orange", "one of red, yellow"),
        ("sdk:", "sdk: streamlit", "one of gradio"),
        ("python_version", "python_version: 3.12", "in quotes"),
        ("title", "", "does not say title"),
    ],
)
def test_what_a_space_cannot_be_without_is_asked_for(root: Path, field: str, value: str, said: str) -> None:
    matter(root, *filter(None, [value]), without=field)
    assert said in complaint(root, "front matter")


@pytest.mark.parametrize("text", ["# Mine\n", "---\na: [\n---\n", "---\n- a\n---\n", ""])
def test_a_readme_without_a_readable_block_is_told_what_to_begin_with(root: Path, text: str) -> None:
    (root / "README.md").write_text(text, "utf-8")
    assert "README.md" in complaint(root, "front matter")
    with pytest.raises(UsageError):
        space.front_matter(root)


def test_versions_that_do_not_agree_are_named_with_both_places(root: Path) -> None:
    matter(root, 'sdk_version: "5.0.0"', without="sdk_version")
    assert complaint(root, "gradio") == (
        "sdk_version is 5.0.0, and requirements.txt wants gradio <7,>=6.31; make them agree."
    )
    matter(root, 'python_version: "3.10"', without="python_version")
    assert "python_version is 3.10, and pyproject.toml wants >=3.11" in complaint(root, "python")
    matter(root, "app_file: main.py", without="app_file")
    assert "main.py, which is not there" in complaint(root, "app file")


@pytest.mark.parametrize(
    ("line", "said"),
    [
        ("torch>=2.14", "ZeroGPU lists nothing above 2.11"),
        ("httpx", "no lowest version of httpx"),
        ("httpx<1", "no lowest version of httpx"),
        ("httpx >>= 1", "which pip cannot read"),
    ],
)
def test_a_requirement_that_a_space_cannot_satisfy_is_named(root: Path, line: str, said: str) -> None:
    (root / "requirements.txt").write_text(f"gradio>=6.31,<7\n{line}\n")
    assert said in complaint(root, "requirements")


def test_a_file_over_ten_mebibytes_is_refused_unless_lfs_keeps_it(root: Path) -> None:
    add(root, "big.bin", b"\0" * (10 * 1024 * 1024 + 1))
    assert "big.bin is over 10 MiB" in complaint(root, "file sizes")
    add(root, ".gitattributes", b"*.bin filter=lfs\n")
    assert states(root) == {}


def test_a_tree_that_no_build_should_fetch_is_refused(root: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(space, "LARGEST_TREE", 100)
    assert "every build fetches them" in complaint(root, "file sizes")


@pytest.mark.parametrize(
    "key",
    ["hf_" + "aB3" * 12, "sk-proj-" + "aB3" * 16, "AKIA" + "ABCD1234" * 2, "ghp_" + "aB3" * 12,
     "-----BEGIN RSA " + "PRIVATE KEY-----"],
)  # fmt: skip
def test_a_key_in_a_tracked_file_is_found_and_not_repeated(root: Path, key: str) -> None:
    (root / "untracked.txt").write_text(key)
    assert states(root) == {}
    add(root, "notes/todo.txt", f"x = '{key}'\n".encode())
    said = complaint(root, "keys")
    assert "notes/todo.txt" in said
    assert key not in said


@pytest.mark.parametrize("path", ["votes/votes.csv", "data/votes-1.csv", "uploads/a.png", ".gradio/flagged/x", ".env"])
def test_votes_uploads_and_environments_of_people_are_not_published(root: Path, path: str) -> None:
    add(root, path, b"x")
    assert path in complaint(root, "votes and uploads")


def test_what_cannot_be_looked_at_is_neither_well_nor_wrong(root: Path, tmp_path: Path) -> None:
    subprocess.run(["rm", "-rf", ".git"], cwd=root, check=True)
    assert states(root) == dict.fromkeys(["file sizes", "keys", "votes and uploads"], "could not check")
    assert space.code(space.check(root)) == 2


def test_the_command_prints_a_line_a_check_and_ends_with_its_code(capsys: pytest.CaptureFixture[str]) -> None:
    assert cli.main(["space", "--check"]) == 0
    lines = capsys.readouterr().out.splitlines()
    assert len(lines) == 8
    assert all(line.startswith("ok ") for line in lines)
    assert cli.main(["space", "--check", "--json"]) == 0
    assert [each["state"] for each in json.loads(capsys.readouterr().out)["checks"]] == ["ok"] * 8


def test_checking_needs_neither_the_page_nor_a_model() -> None:
    absent = ("gradio", "torch", "huggingface_hub")
    code = f"import sys; import playground.space; print([name for name in {absent} if name in sys.modules])"
    run = subprocess.run([sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, check=True)
    assert run.stdout.strip() == "[]"
