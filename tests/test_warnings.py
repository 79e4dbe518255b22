"""Warnings of our own code fail a test; those of libraries are collected and shown at the end."""

from __future__ import annotations

import re
import shutil
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
LIBRARY = """
import threading, warnings

def warn():
    warnings.warn("a library is old", DeprecationWarning)

def warn_caller():
    warnings.warn("this call is old", FutureWarning, stacklevel=2)

def fail_in_thread():
    thread = threading.Thread(target=int, args=("a library's thread",))
    thread.start()
    thread.join()

class Dropped:
    def __del__(self):
        raise ValueError("a library's object")
"""
OURS = """
import warnings

def warn():
    warnings.warn("we are old", UserWarning)

def fail():
    raise ValueError("our own")

class Dropped:
    def __del__(self):
        fail()
"""
TESTS = """
import socket, threading
import library
from playground import ours

def test_shown_a_library_warns():
    library.warn()

def test_shown_a_thread_of_a_library_fails():
    library.fail_in_thread()

def test_shown_an_object_of_a_library_fails_while_it_is_freed():
    library.Dropped()

def test_fails_our_code_warns():
    ours.warn()

def test_fails_our_code_calls_what_is_old():
    library.warn_caller()

def test_fails_a_thread_of_ours():
    thread = threading.Thread(target=ours.fail)
    thread.start()
    thread.join()

def test_fails_an_object_of_ours_while_it_is_freed():
    ours.Dropped()

def test_fails_a_leak():
    socket.socket()
"""


def test_warnings_of_our_own_code_fail_and_those_of_libraries_are_shown(tmp_path: Path) -> None:
    for folder in ("playground", "tests"):
        (tmp_path / folder).mkdir()
        (tmp_path / folder / "__init__.py").touch()
    shutil.copy(ROOT / "pyproject.toml", tmp_path)
    shutil.copy(ROOT / "tests" / "conftest.py", tmp_path / "tests")
    (tmp_path / "library.py").write_text(LIBRARY)
    (tmp_path / "playground" / "ours.py").write_text(OURS)
    (tmp_path / "tests" / "test_made.py").write_text(TESTS)
    command = [sys.executable, "-m", "pytest", "-n", "0", "-rA", "-p", "no:cacheprovider"]
    said = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, check=False).stdout

    ended = {name: how for how, name in re.findall(r"^(PASSED|FAILED|ERROR) tests/\w+\.py::(\w+)", said, re.MULTILINE)}
    expected = re.findall(r"def (test_(shown|fails)_\w+)", TESTS)
    assert ended == {name: "PASSED" if kind == "shown" else "FAILED" for name, kind in expected}, said
    shown = said.split("warnings summary")[1].split("= PASSES =")[0]
    for words in ("a library is old", "a library's thread", "a library's object"):
        assert words in shown, said
