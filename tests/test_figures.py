"""How figures are named and written for people."""

from __future__ import annotations

from dataclasses import replace

import pytest

from playground.figures import (
    AT_A_GLANCE,
    COUNTS,
    FIGURES,
    Figure,
    badges,
    cell,
    size,
    why_uncounted,
    why_unknown,
    written,
)
from playground.types import Answer, Interference, Loading, Memory, Stamps, Status, Timing, Usage
from tests.fakes import answer

TIMING = Timing(
    load_s=61.0,
    ttft_s=0.123,
    ttfa_s=1.5,
    total_s=12.34,
    decode_tokens_per_s=8.25,
    chars_per_s=41.4,
    chunk_gap_p50_s=0.025,
    chunk_gap_p95_s=0.1204,
)
MEMORY = Memory(98_000_000, 1_090_000_000, 150_400_000, 45_000_000, method="PSS of the process tree")
SHARES = Interference(wait_share=0.34, other_share=0.45, app_share=0.04, steal_share=0.01)
WHOLE = answer(
    threads=3,
    interference=SHARES,
    timing=TIMING,
    memory=MEMORY,
    usage=Usage(answer_tokens=9, source="server"),
    stamps=Stamps(0.0),
)


def figure(name: str) -> Figure:
    return next(figure for figure in FIGURES if figure.name == name)


def test_every_figure_has_a_name_of_its_own_a_definition_and_a_direction():
    assert len({figure.name for figure in FIGURES}) == len(FIGURES)
    assert all(figure.definition and figure.better in (-1, 1) for figure in FIGURES)


def test_the_bars_are_first_token_total_speed_and_memory():
    assert AT_A_GLANCE == ("first token", "total", "speed", "peak memory")
    assert set(AT_A_GLANCE) <= {figure.name for figure in FIGURES}


def test_only_rates_are_better_when_larger():
    assert {figure.name for figure in FIGURES if figure.better == 1} == {"speed", "characters"}


@pytest.mark.parametrize(
    ("name", "text", "unit"),
    [
        ("first token", "0.12", "s"),
        ("first answer", "1.50", "s"),
        ("total", "12.3", "s"),
        ("speed", "8.2", "tok/s"),
        ("characters", "41", "/s"),
        ("chunk gap", "25", "ms"),
        ("slow gap", "120", "ms"),
        ("load", "61.0", "s"),
        ("weights", "98", "MB"),
        ("peak memory", "1.09", "GB"),
        ("held now", "150", "MB"),
        ("before weights", "45", "MB"),
        ("waited for CPU", "34", "%"),
        ("used by others", "45", "%"),
    ],
)
def test_each_figure_is_written_with_its_unit(name: str, text: str, unit: str):
    found = cell(figure(name), WHOLE)
    assert (found.text, found.unit) == (text, unit)
    assert found.value is not None


def test_every_figure_is_one_of_those_above():
    assert [cell(figure, WHOLE).text for figure in FIGURES].count("–") == 0
    assert len(FIGURES) == 14


@pytest.mark.parametrize("one", FIGURES, ids=lambda figure: figure.name)
def test_what_is_unknown_is_a_dash_without_unit_and_with_a_reason(one: Figure):
    found = cell(one, answer())
    assert (found.text, found.unit, found.value) == ("–", "", None)
    assert found.why.startswith(one.definition)
    assert found.why.endswith(".")
    assert len(found.why) > len(one.definition) + 5


def test_a_speed_says_who_counted_the_tokens():
    assert "Tokens counted by: server." in cell(figure("speed"), WHOLE).why
    assert "counted by" not in cell(figure("total"), WHOLE).why


@pytest.mark.parametrize("name", ["first token", "total", "speed", "characters", "waited for CPU"])
def test_what_threads_can_change_says_how_many_there_were(name: str):
    assert cell(figure(name), WHOLE).why.endswith("CPU threads of the model: 3.")
    assert "threads of the model" not in cell(figure(name), replace(WHOLE, threads=None)).why
    assert "threads of the model" not in cell(figure("load"), WHOLE).why


def test_what_others_took_is_told_by_who_took_it():
    why = cell(figure("used by others"), WHOLE).why
    assert "Of all CPU time: other programs 40 %, this app 4 %, the machine's host 1 %." in why


def test_a_live_speed_says_who_counts_as_it_goes():
    live = answer(timing=TIMING, stamps=Stamps(0.0, counted_by="tokenizer"))
    assert cell(figure("speed"), live).why.endswith("Tokens counted by: tokenizer.")


def test_a_speed_that_is_unknown_says_why():
    dash = answer(timing=Timing(decode_reason="Its server did not count the tokens."), stamps=Stamps(0.0))
    assert cell(figure("speed"), dash).why.endswith("models. Its server did not count the tokens.")


@pytest.mark.parametrize(
    ("usage", "status", "reason"),
    [
        (Usage(), "writing", "Counted when the answer has ended."),
        (Usage(), "done", "Nobody counted them."),
        (Usage(undivided_tokens=9, source="server"), "done", "Its server counts thinking and answer together."),
    ],
)
def test_a_count_that_is_a_dash_has_its_reason(usage: Usage, status: Status, reason: str):
    assert why_uncounted(Answer("m", status, usage=usage)) == reason
    assert [name for name, count in COUNTS.items() if count(usage) is not None] == ["all output"] * (usage != Usage())


def test_blank_text_is_no_answer_that_shows():
    blank = answer(text="  ", stamps=Stamps(0.0, 1.0, None, 2.0, chunks=2))
    assert why_unknown(figure("first answer"), blank) == "No text of the answer shows."


def test_memory_says_how_it_was_found():
    assert cell(figure("peak memory"), WHOLE).why.endswith("Method: PSS of the process tree.")
    assert cell(figure("held now"), WHOLE).why.endswith("Method: PSS of the process tree.")
    assert "Method" not in cell(figure("weights"), WHOLE).why  # those are read from the files


def test_nothing_is_ever_written_as_zero_because_it_is_unknown():
    assert cell(figure("total"), answer(timing=Timing(total_s=0.0))).text == "0.00"
    assert cell(figure("total"), answer(timing=Timing())).text == "–"


ASKED = Stamps(sent_s=0.0)
ANSWERED = Stamps(sent_s=0.0, first_s=1.0, first_answer_s=1.0, last_s=1.0, chunks=1)
THOUGHT = Stamps(sent_s=0.0, first_s=1.0, last_s=2.0, chunks=2)


@pytest.mark.parametrize(
    ("name", "about", "reason"),
    [
        ("total", Answer("m", "writing"), "Not known yet."),
        ("total", Answer("m", "failed"), "This side failed."),
        ("total", Answer("m", "stopped"), "No text came."),
        ("total", Answer("m", "done", stamps=ASKED), "No text came."),
        ("speed", Answer("m", "done", stamps=ANSWERED), "Too little text to measure."),
        ("first answer", Answer("m", "done", stamps=THOUGHT), "Only thinking came, no answer."),
        ("first answer", Answer("m", "thinking", stamps=THOUGHT), "Not known yet."),
        ("load", Answer("m", "done", stamps=ANSWERED), "The model was ready before."),
        ("load", Answer("m", "failed", stamps=ANSWERED), "The model was ready before."),
        ("load", Answer("m", "done", elsewhere=True, stamps=ANSWERED), "It runs elsewhere."),
        ("load", Answer("m", "loading", loading=Loading("starting")), "Not known yet."),
        ("load", Answer("m", "waiting"), "Not known yet."),
        ("load", Answer("m", "failed"), "This side failed."),
        ("load", Answer("m", "stopped"), "It was stopped before."),
        ("weights", Answer("m", memory=Memory(reason="runs elsewhere")), "Runs elsewhere."),
        ("weights", Answer("m", "writing"), "Not measured yet."),
        ("weights", Answer("m", "done"), "Not measured."),
        ("waited for CPU", Answer("m", "done", elsewhere=True), "It runs elsewhere."),
        ("waited for CPU", Answer("m", "writing"), "Not measured yet."),
        ("used by others", Answer("m", "done", interference=Interference(reason="it was short")), "It was short."),
    ],
)
def test_a_dash_has_the_reason_that_is_true(name: str, about: Answer, reason: str):
    assert why_unknown(figure(name), about) == reason


@pytest.mark.parametrize(
    ("value", "unit", "text"),
    [
        (0.004, "s", "0.00"),
        (9.99, "s", "9.99"),
        (9.999, "s", "10.0"),
        (10.04, "s", "10.0"),
        (99.97, "s", "100"),
        (3_600.4, "s", "3600"),
        (9.96, "tok/s", "10"),
        (0.4, "ms", "0.4"),
        (312.6, "tok/s", "313"),
    ],
)
def test_numbers_have_three_digits_at_most_before_they_need_more(value: float, unit: str, text: str):
    assert written(value, unit) == (text, unit)


@pytest.mark.parametrize(
    ("count", "text"),
    [
        (0, "0 kB"),
        (1_499, "1 kB"),
        (999_499, "999 kB"),
        (999_999, "1 MB"),
        (98_000_000, "98 MB"),
        (999_999_999, "1.00 GB"),
        (18_800_000_000, "18.80 GB"),
    ],
)
def test_bytes_are_counted_as_disks_count_them(count: int, text: str):
    assert " ".join(size(count)) == text


def test_an_answer_without_anything_special_has_no_badge():
    assert badges(answer()) == []


def test_each_badge_has_its_explanation():
    marked = answer(cold=True, contended=True, elsewhere=True, usage=Usage(cached_tokens=7))
    assert [name for name, _ in badges(marked)] == ["cold", "contended", "elsewhere", "cached prompt"]
    assert all(len(explanation) > 30 for _, explanation in badges(marked))
    assert badges(marked)[-1][1].startswith("7 tokens")


@pytest.mark.parametrize(
    ("shares", "name"),
    [
        (Interference(0.34, 0.41, 0.01, 0.0), "disturbed 41 % by other programs"),
        (Interference(0.50, 0.41, 0.30, 0.02), "disturbed 50 % by this app"),
        (Interference(0.05, 0.20, 0.01, 0.18), "disturbed 20 % by the host"),
        (Interference(0.10, 0.102, 0.10, 0.0), "disturbed 10.2 % by this app"),
        (Interference(0.60, 0.009, 0.009, 0.0), "disturbed 60 % by too few CPUs"),
        (Interference(None, 0.41, 0.01, None, "no schedstat"), "disturbed 41 % by other programs"),
    ],
)
def test_a_disturbed_answer_says_how_much_and_by_whom(shares: Interference, name: str):
    ((found, explanation),) = badges(answer(interference=shares))
    assert found == name
    assert "Of all CPU time: " in explanation


def test_up_to_a_tenth_is_not_disturbed_and_what_is_not_final_or_contended_is_not_said_to_be():
    assert badges(answer(interference=Interference(0.1, 0.1, 0.1, 0.0))) == []
    assert badges(answer(interference=Interference(reason="unknown"))) == []
    busy = Interference(0.5, 0.5, 0.0, 0.0)
    assert badges(Answer("m", "writing", interference=busy)) == []
    assert [name for name, _ in badges(answer(contended=True, interference=busy))] == ["contended"]


def test_a_cache_that_held_nothing_is_no_badge():
    assert badges(answer(usage=Usage(cached_tokens=0))) == []


def test_what_a_process_held_before_weights_is_shown_apart_or_says_why_not() -> None:
    (before,) = [figure for figure in FIGURES if figure.name == "before weights"]
    torch = Answer("m", status="done", memory=Memory(1, 900_000_000, 800_000_000, 575_000_000, "PSS"))
    assert cell(before, torch).text == "575"
    llama = Answer("m", status="done", memory=Memory(1, 347_000_000, 340_000_000, None, "PSS"))
    assert "no moment without weights" in cell(before, llama).why
