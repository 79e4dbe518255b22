"""The JSON object of a comparison: a promise to programs, so every key of it is written down here."""

from __future__ import annotations

import json

from playground import report
from playground.types import Interference, Memory, Timing, Usage
from tests.fakes import answer, comparison

SIDE = {
    "model": "small",
    "status": "done",
    "text": "four",
    "reasoning": "two and two",
    "error": None,
    "notice": "its server was busy (503) and was asked again after 2 s; times count from then",
    "finish_reason": "stop",
    "cold": True,
    "contended": True,
    "images_sent": 2,
    "threads": 1,
    "timing": {
        "load_s": 1.0,
        "ttft_s": 2.0,
        "ttfa_s": 3.0,
        "total_s": 4.0,
        "decode_tokens_per_s": 5.0,
        "chars_per_s": 6.0,
        "chunk_gap_p50_s": 7.0,
        "chunk_gap_p95_s": 8.0,
        "decode_reason": None,
    },
    "usage": {
        "prompt_tokens": 9,
        "reasoning_tokens": 10,
        "answer_tokens": 11,
        "output_tokens": 21,
        "cached_tokens": 12,
        "source": "server",
    },
    "memory": {
        "weights_bytes": 13,
        "peak_bytes": 14,
        "device_peak_bytes": 12,
        "process_bytes": 15,
        "method": "PSS",
    },
    "interference": {
        "disturbed": True,
        "wait_share": 0.5,
        "other_share": 0.25,
        "app_share": 0.125,
        "steal_share": 0.0,
        "reason": None,
    },
}
WHOLE = answer(
    "small",
    reasoning="two and two",
    notice=str(SIDE["notice"]),
    cold=True,
    contended=True,
    images_sent=2,
    timing=Timing(1.0, 2.0, 3.0, 4.0, 5.0, 6.0, 7.0, 8.0),
    usage=Usage(9, 10, 11, 12, "server"),
    memory=Memory(13, 14, 15, 16, "PSS", device_peak_bytes=12),
    interference=Interference(0.5, 0.25, 0.125, 0.0),
    threads=1,
)


def test_a_side_has_exactly_these_keys_and_values():
    assert report.side(WHOLE) == SIDE


def test_a_comparison_has_exactly_these_keys_and_values():
    found = report.comparison(comparison(WHOLE, WHOLE))
    assert found == {"schema": 1, "pacing": "in_turn", "first_side": "left", "left": SIDE, "right": SIDE}


def test_keys_come_in_the_order_in_which_they_are_documented():
    assert json.dumps(report.side(WHOLE)) == json.dumps(SIDE)


def test_what_is_unknown_is_null_and_never_zero():
    found = report.side(answer("small", "", status="failed", error="It broke.", finish_reason=""))
    assert (found["error"], found["finish_reason"]) == ("It broke.", None)
    assert (found["cold"], found["notice"], found["usage"]["source"]) == (None, None, None)
    assert set(found["timing"].values()) == {None}
    assert [found["usage"][name] for name in ("prompt_tokens", "answer_tokens", "cached_tokens")] == [None] * 3
    assert [found["memory"][name] for name in ("weights_bytes", "peak_bytes", "process_bytes")] == [None] * 3
    assert set(found["interference"].values()) == {None}


def test_half_a_measurement_can_show_that_an_answer_was_disturbed_but_not_that_it_was_not():
    calm, busy = Interference(other_share=0.05, reason="?"), Interference(other_share=0.5, reason="?")
    assert report.side(answer(interference=calm))["interference"]["disturbed"] is None
    assert report.side(answer(interference=busy))["interference"]["disturbed"] is True
    assert report.side(answer(interference=Interference(0.05, 0.05)))["interference"]["disturbed"] is False
