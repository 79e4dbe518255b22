"""What `python app.py` does with the votes file before anybody votes."""

from __future__ import annotations

from pathlib import Path

import pytest

from playground.votes import COLUMNS, VoteBook, cells
from tests import site
from tests.patience import LIMIT_S, eventually

HEADER = cells.line(COLUMNS)


def test_a_row_torn_by_a_crash_is_moved_aside_at_the_start_and_told(tmp_path: Path) -> None:
    votes = tmp_path / "votes.csv"
    votes.write_bytes(HEADER + b"3f1c,half a ro")
    rows = site.model(tmp_path, "one", [{"match": "", "events": site.words("hello")}])
    with site.app(tmp_path, rows, "--left", "one", "--right", "one", "--votes", str(votes)):
        eventually(lambda: votes.read_bytes() == HEADER)
    assert votes.read_bytes() == HEADER
    assert (tmp_path / "votes.csv.torn-1").read_bytes() == b"3f1c,half a ro"
    assert "ended in the middle of a row" in (tmp_path / "app.log").read_text(encoding="utf-8")


def test_another_programs_file_is_told_at_the_start_and_left_alone(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    votes = tmp_path / "votes.csv"
    votes.write_text("name,score\nAda,3\n", encoding="utf-8")
    VoteBook(votes).mend_beside().join(LIMIT_S)
    assert "name" in caplog.text
    assert votes.read_text(encoding="utf-8") == "name,score\nAda,3\n"


def test_a_whole_file_is_not_worth_a_word(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    votes = tmp_path / "votes.csv"
    votes.write_bytes(HEADER)
    VoteBook(votes).mend_beside().join(LIMIT_S)
    assert caplog.text == ""
