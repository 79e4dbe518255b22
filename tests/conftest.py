"""Every test has its own folder and environment."""

from __future__ import annotations

import os
import re
from pathlib import Path

import pytest
from hypothesis import settings

settings.register_profile("playground", deadline=None, derandomize=True)
settings.load_profile("playground")

ROOT = re.escape(str(Path(__file__).resolve().parents[1])).replace(":", ".")
"""As a pattern; a colon would divide the fields of a filter."""
OURS = rf'(?s).*File "{ROOT}[\\/](app\.py|(benchmarks|playground|tests|training)[\\/])'
LEAK = r"(?s).*\nResourceWarning\b"


def pytest_configure(config: pytest.Config) -> None:
    """Fail a test for an exception that nobody caught, in a thread or while an object was freed, if our code is in its
    traceback or if it tells of a leak."""
    for message, category in [
        (OURS, "PytestUnhandledThreadExceptionWarning"),
        (OURS, "PytestUnraisableExceptionWarning"),
        (LEAK, "PytestUnraisableExceptionWarning"),
    ]:
        config.addinivalue_line("filterwarnings", f"error:{message}:pytest.{category}")


@pytest.fixture(autouse=True)
def own_place(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """No setting of the person who runs the tests reaches them, and nothing is written beside the code."""
    for name in [name for name in os.environ if name.startswith("PLAYGROUND_")]:
        monkeypatch.delenv(name)
    monkeypatch.chdir(tmp_path)
