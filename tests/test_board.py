"""What the standings tab says, without a browser: the numbers of the command, names as text, nothing when empty."""

from __future__ import annotations

import re

from playground import standings
from playground.counting.ledger import Count
from playground.standings import Standings, table
from playground.ui import board
from tests.test_standings import of, row, won


def html(found: Standings, *, filtered: bool = False) -> str:
    return board.board(Count(found, 1_000.0, ()), "votes/votes.csv", "", filtered=filtered)


def words(found: Standings) -> str:
    return " ".join(re.sub(r"<[^>]+>", " ", html(found)).split())


def test_without_votes_the_page_says_how_to_get_some_and_draws_nothing():
    said = html(of())
    assert "No votes yet." in said
    assert "votes/votes.csv" in said
    assert "<table" not in said
    assert board.pictures(of()) == ""
    assert "No counted vote fits these filters." in html(of(), filtered=True)


def test_votes_that_were_left_out_are_told_even_if_none_is_left():
    assert "Left out: 1 kept and not counted." in words(of(row("a", "b", "tie", counted="false")))


def test_all_that_the_command_says_beside_its_table_is_on_the_page_too():
    found = of(*won("a", "b", 20), *won("b", "a", 15), row("a", "b", "both_bad"), row("a", "b", "tie", counted="false"))
    said = words(found)
    for line in [*table.notes(found)[1:], *table.left_out(found)]:
        assert line in said
    assert "36 votes · read from votes/votes.csv" in said


def test_a_name_from_the_file_is_text_and_never_markup():
    found = of(*won('<img src=x onerror="1">', "b & c", 3))
    said = html(found) + board.pictures(found)
    assert "<img" not in said
    assert "&lt;img src=x onerror=&quot;1&quot;&gt;" in said
    assert "b &amp; c" in said


def test_unknown_figures_are_dashes_and_known_ones_have_units():
    cells = {"ttft_s_a": "0.25", "decode_tokens_per_s_a": "20", "peak_bytes_a": "2e9", "answer_chars_a": "1234"}
    said = words(of(row("a", "b", "model_a", **cells)))
    assert "0.25 s 20 2.00 GB 1,234 chars" in said
    assert "– – – –" in said


def test_few_votes_are_preliminary_and_planning_is_by_rule():
    said = words(of(row("a", "b", "model_a")))
    assert said.count("preliminary") == 2
    assert "Too few to say how many more it takes." in said
    assert "85 at a true 65 %, 194 at a true 60 %, 782 at a true 55 %" in said
    assert "Preliminary: fewer than 30 decisive votes." in said


def test_with_enough_votes_it_is_said_how_many_more_it_takes():
    found = of(*won("a", "b", 22), *won("b", "a", 18))
    assert found.needed
    assert f"About {found.needed} decisive votes more" in words(found)
    assert standings.PRELIMINARY == 30
