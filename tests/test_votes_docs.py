"""The page about the votes file names its columns as they are, and the limits that hold."""

from __future__ import annotations

import re
from pathlib import Path

from playground import votes
from playground.standings import PRELIMINARY, rating
from playground.votes import Limits, rows

DOC = (Path(__file__).parent.parent / "docs" / "votes.md").read_text(encoding="utf-8")


def test_the_table_names_every_column_in_the_order_of_the_file():
    first_cells = re.findall(r"^\| (`.+?`) \| ", DOC.split("## Two marks")[0], re.MULTILINE)
    named = tuple(name for cell in first_cells for name in re.findall(r"`(\w+)`", cell))
    assert named == votes.COLUMNS


def test_the_numbers_are_those_of_the_code():
    limits = Limits()
    assert f"more than {limits.votes_per_minute} votes a minute" in DOC
    assert f"more than {limits.same_prompt_per_hour} on one prompt in an hour" in DOC
    assert f"within {limits.reaction_s:g} s" in DOC
    assert f"{limits.chars_per_s:g} characters a second can be read ({limits.enough_s:g} s are always enough)" in DOC
    assert f"cut with a mark after {rows.REASON_CHARS:,} characters" in DOC
    assert f"which columns it knew: {votes.SCHEMA_VERSION}" in DOC
    assert f"fewer than {rating.FEWEST_VOTERS} voters" in DOC
    assert f"Under {PRELIMINARY} decisive votes" in DOC
