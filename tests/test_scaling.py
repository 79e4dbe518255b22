"""The commands of docs/scaling.md: ours are parsed by our own parsers, others hold only flags their versions know."""

from __future__ import annotations

import re
import shlex
import shutil
import subprocess
from pathlib import Path

import pytest

from playground import catalog, cli, settings
from tests.patience import LIMIT_S

ROOT = Path(__file__).resolve().parent.parent
PAGE = (ROOT / "docs" / "scaling.md").read_text(encoding="utf-8")
BLOCKS = re.findall(r"```(\w+)\n(.*?)```", PAGE, re.DOTALL)
COMMANDS = [line for kind, text in BLOCKS if kind == "bash" for line in text.splitlines()]
OURS = [line for line in COMMANDS if line.startswith(("python app.py", "python -m playground"))]
THEIRS = [line for line in COMMANDS if line not in OURS]

KNOWN = {
    "vllm serve": "--tensor-parallel-size --host --port --max-num-seqs --enable-prompt-tokens-details",
    "vllm-router": "--worker-urls --policy --host --port",
    "sglang-router launch": "--worker-urls --policy --host --port",
    "python -m sglang.launch_server": "--model-path --tp-size --host --port --max-running-requests "
    "--enable-cache-report",
    "llama-server": "--model --ctx-size --parallel --n-gpu-layers --host --port",
    "hf upload": "--repo-type",
}
"""Flags that were found in the help or the source of the versions that the page names."""


def flags(line: str) -> set[str]:
    return {word for word in shlex.split(line) if word.startswith("--")}


def program(line: str) -> str:
    return next(name for name in KNOWN if line.startswith(name + " "))


@pytest.mark.parametrize("line", OURS)
def test_our_own_commands_can_be_run_as_they_stand(line: str) -> None:
    words = shlex.split(line)
    if words[1] == "app.py":
        told = settings.read(words[2:], {})
        assert told.votes == Path("/srv/votes")
    else:
        cli.parser({}).parse_args(words[3:])


@pytest.mark.parametrize("line", THEIRS)
def test_a_command_of_others_has_only_flags_that_its_version_knows(line: str) -> None:
    assert flags(line) <= set(KNOWN[program(line)].split())


@pytest.mark.parametrize("line", [line for line in THEIRS if shutil.which(line.split()[0]) and "python" not in line])
def test_where_the_program_is_installed_its_help_has_the_flags(line: str) -> None:
    words = program(line).split()
    shown = subprocess.run([*words, "--help"], capture_output=True, text=True, timeout=LIMIT_S, check=False)
    assert {flag for flag in flags(line) if flag not in shown.stdout} == set()


def test_every_program_that_is_known_is_one_that_the_page_names() -> None:
    assert {program(line) for line in THEIRS} == set(KNOWN)


def test_the_row_is_a_models_file(tmp_path: Path) -> None:
    (text,) = [text for kind, text in BLOCKS if kind == "toml"]
    (tmp_path / "mine.toml").write_text(text, encoding="utf-8")
    (row,) = catalog.read(tmp_path / "mine.toml")
    assert (row.requests_at_once, row.engine) == (64, "openai")


def test_the_proxy_keeps_a_browser_at_its_process() -> None:
    (text,) = [text for kind, text in BLOCKS if kind == "haproxy"]
    ports = [settings.read(shlex.split(line)[2:], {}).port for line in OURS if "app.py" in line]
    assert [int(port) for port in re.findall(r"server \w+ 127\.0\.0\.1:(\d+) cookie \w+", text)] == ports
    assert "cookie APP insert" in text


@pytest.mark.skipif(shutil.which("haproxy") is None, reason="needs HAProxy: apt-get install haproxy")
def test_the_proxy_reads_its_file(tmp_path: Path) -> None:
    (text,) = [text for kind, text in BLOCKS if kind == "haproxy"]
    (tmp_path / "haproxy.cfg").write_text(text, encoding="utf-8")
    subprocess.run(["haproxy", "-c", "-f", str(tmp_path / "haproxy.cfg")], check=True, capture_output=True)
