"""`python -m playground fetch KEY`: weights come with progress, Ctrl-C keeps what is here, and the next run goes on."""

from __future__ import annotations

import io
import os
import signal
import subprocess
import sys
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest

from playground import cli, fetching
from playground.settings import ROOT
from playground.types import Loading
from tests import site
from tests.hubserver import Hub, serving
from tests.patience import LIMIT_S, eventually

LARGE = os.urandom(40_000_000)
FILE = "m-Q4_K_M.gguf"
ROWS = f"""
[[model]]
key = "m"
title = "M"
engine = "llama.cpp"
source = "org/name/{FILE}"

[[model]]
key = "far"
title = "Far"
engine = "openai"
base_url = "https://far.example/v1"
source = "far"
"""


class Command:
    """The command in a process of its own, with the Hub's stand-in and a cache of its own."""

    def __init__(self, folder: Path, hub: Hub) -> None:
        (folder / "mine.toml").write_text(ROWS, encoding="utf-8")
        self.folder = folder
        self.blobs = folder / "hub" / "models--org--name" / "blobs"
        kept = {name: value for name, value in os.environ.items() if not name.startswith("HF_")}
        self.env = {**kept, "HF_ENDPOINT": hub.url, "HF_HUB_CACHE": str(folder / "hub")}

    def start(self, key: str = "m") -> subprocess.Popen[str]:
        command = [sys.executable, "-m", "playground", "fetch", key]
        command += ["--models", str(self.folder / "mine.toml"), "--cache", str(self.folder / "cache")]
        pipe = subprocess.PIPE
        heard = site.hear_ctrl_c if os.name == "posix" else None
        return subprocess.Popen(command, cwd=ROOT, env=self.env, stdout=pipe, stderr=pipe, text=True, preexec_fn=heard)

    def run(self, key: str = "m") -> tuple[int, str, str]:
        with self.start(key) as process:
            out, err = process.communicate(timeout=LIMIT_S)
            return process.returncode, out, err

    def part_bytes(self) -> int:
        return sum(path.stat().st_size for path in self.blobs.glob("*.part"))


@pytest.fixture
def hub() -> Iterator[Hub]:
    with serving(Hub({FILE: LARGE})) as served:
        yield served


@pytest.fixture
def command(tmp_path: Path, hub: Hub) -> Command:
    return Command(tmp_path, hub)


def test_weights_come_with_progress_and_the_second_time_are_there(command: Command, hub: Hub):
    code, out, err = command.run()
    assert (code, out.startswith("M is here: "), out.strip().endswith(FILE)) == (0, True, True)
    assert "fetching" in err
    hub.asked.clear()
    assert command.run()[:2] == (0, out.replace("is here:", "is here already:"))
    assert hub.asked == []


@pytest.mark.skipif(os.name != "posix", reason="needs signals")
def test_ctrl_c_keeps_what_is_here_and_the_next_run_goes_on_from_there(command: Command, hub: Hub):
    hub.cut_after, hub.cuts, hub.stall = 25_000_000, 1, threading.Event()
    with command.start() as process:
        eventually(lambda: command.part_bytes() >= 20_000_000)
        process.send_signal(signal.SIGINT)
        _, err = process.communicate(timeout=LIMIT_S)
    assert process.returncode == 130
    assert fetching.KEPT in err
    assert "Traceback" not in err
    kept = command.part_bytes()
    assert kept >= 20_000_000
    hub.stall.set()
    hub.sent = 0
    code, out, _ = command.run()
    assert code == 0
    assert Path(out.strip().removeprefix("M is here: ")).read_bytes() == LARGE
    assert hub.sent <= len(LARGE) - kept + 1_000_000


def test_two_at_once_do_not_spoil_each_others_file(command: Command, hub: Hub):
    with command.start() as one, command.start() as two:
        for each in (one, two):
            out, err = each.communicate(timeout=LIMIT_S)
            assert (each.returncode, "is here" in out) == (0, True), err
    assert [path.read_bytes() == LARGE for path in command.blobs.iterdir() if path.suffix != ".lock"] == [True]
    assert hub.sent < len(LARGE) + 1_000_000


@pytest.mark.parametrize(
    ("key", "code", "said"),
    [
        ("far", 2, "Far runs elsewhere: there is nothing to fetch."),
        ("mm", 2, "Did you mean m?"),
    ],
)
def test_what_cannot_be_fetched_is_said(tmp_path: Path, capsys: pytest.CaptureFixture[str], key, code, said):
    (tmp_path / "mine.toml").write_text(ROWS, encoding="utf-8")
    before = signal.getsignal(signal.SIGTERM)
    try:
        assert cli.main(["fetch", key, "--models", str(tmp_path / "mine.toml")]) == code
    finally:
        signal.signal(signal.SIGTERM, before)
    assert said in capsys.readouterr().err


def test_progress_is_a_bar_with_bytes_and_what_is_left():
    said = fetching.bar(Loading("fetching", 2_840_000_000, 5_680_000_000, "bytes"), 130.0)
    assert said == "fetching [############------------] 50 % · 2.84 GB of 5.68 GB · about 2 min left"
    assert fetching.bar(Loading("weights", 1, 4), None) == "weights [######------------------] 25 % · 1 of 4"
    assert fetching.bar(Loading("converting"), None) == "converting"


def test_what_the_person_should_know_of_the_disk_is_said_once_on_a_line_of_its_own():
    out = io.StringIO()
    shown = fetching.Shown(out)
    for second in range(3):
        note = f"The disk will be nearly full: {9 - second} MB will be left." if second else ""
        shown.tell(Loading("fetching", second, 100, "bytes", note), float(second))
    shown.end()
    assert out.getvalue().splitlines()[1:] == ["Note: The disk will be nearly full: 8 MB will be left."]


def test_a_terminal_is_written_over_and_a_log_gets_a_line_now_and_then():
    class Terminal(io.StringIO):
        def isatty(self) -> bool:
            return True

    terminal, log = Terminal(), io.StringIO()
    for out in (terminal, log):
        shown = fetching.Shown(out)
        for second in range(25):
            shown.tell(Loading("fetching", second, 100, "bytes"), float(second))
        shown.end()
    assert terminal.getvalue().count("\r") == 26
    assert "about 76 s left" in terminal.getvalue()
    assert len(log.getvalue().splitlines()) == 3
