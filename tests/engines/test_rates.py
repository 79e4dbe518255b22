"""A server whose truth is known, read through the real client: its speed is that truth, or a dash with the reason."""

from __future__ import annotations

import itertools
import time
from collections.abc import Iterator, Sequence

import pytest

from playground import meter
from playground.answer import AnswerState
from playground.compare import Race
from playground.engines.client import ChatClient, OpenAIEngine
from playground.entrant import Entrant
from playground.types import Answer, ModelSpec, Sampling, Usage
from tests.badserver import DONE, BadServer, Request, Script, Step, event, sse, text
from tests.engines.asking import ANSWER, ASK
from tests.fakes import ScriptedEngine

STEP_S = 0.05
WORDS = ["Once", " upon", " a", " time", " there", " was", " a", " small", " light", "house"]


class Steady:
    """Makes a token every 50 ms, 20 a second, and sends them in bundles. `sent` are its own moments."""

    def __init__(self, bundles: Sequence[int], *, per_event: bool = True, counts: bool = False, **usage: object):
        self.bundles, self.per_event, self.counts, self.usage = bundles, per_event, counts, usage
        self.chunked = False
        self.sent: list[float] = []

    def script(self, request: Request) -> Iterator[Step]:
        yield sse("Transfer-Encoding: chunked\r\n" if self.chunked else "")
        yield from self._send(event({"choices": [{"delta": {"role": "assistant", "content": ""}}]}))
        words, made = itertools.cycle(WORDS), 0
        for size in self.bundles:
            yield ("wait", STEP_S * size)
            said = [next(words) for _ in range(size)]
            made += size
            chunks = [text(word) for word in said] if self.per_event else [text("".join(said))]
            if self.counts:
                chunks[-1]["timings"] = {"predicted_n": 500 + made}
            self.sent.append(time.monotonic())
            yield from self._send(*map(event, chunks))
        end = text("", finish_reason="stop") | ({"usage": self.usage} if self.usage else {})
        yield from self._send(event(end), DONE)
        if self.chunked:
            yield ("send", b"0\r\n\r\n")

    def _send(self, *events: bytes) -> Iterator[Step]:
        framed = [b"%x\r\n%s\r\n" % (len(each), each) if self.chunked else each for each in events]
        yield ("send", b"".join(framed))

    @property
    def true_per_s(self) -> float:
        """Tokens a second as it really made them: on a busy machine it sleeps longer than it means to."""
        return sum(self.bundles[1:]) / (self.sent[-1] - self.sent[0])


def answered(steady: Steady) -> Answer:
    state = AnswerState(Answer("m"))
    with BadServer(steady.script) as server:
        client = ChatClient(server.url)
        with client.stream("tiny", ASK, Sampling()) as stream:
            for each in stream:
                state.apply(each)
        client.close()
    assert state.snapshot().text == "".join(itertools.islice(itertools.cycle(WORDS), sum(steady.bundles)))
    return state.snapshot()


def assert_true(found: Answer, steady: Steady) -> None:
    assert found.timing.decode_tokens_per_s == pytest.approx(steady.true_per_s, rel=0.2)
    assert found.timing.decode_reason == ""


def assert_dash(found: Answer, reason: str) -> None:
    assert (found.timing.decode_tokens_per_s, found.timing.decode_reason) == (None, reason)
    assert found.timing.chars_per_s
    assert found.timing.total_s


def test_a_token_an_event_with_a_count_has_the_true_speed():
    steady = Steady([1] * 20, completion_tokens=21)  # with the end token
    found = answered(steady)
    assert_true(found, steady)
    assert (found.usage.output_tokens, found.usage.source) == (21, "server")


def test_hidden_thinking_that_is_counted_is_a_dash():
    hidden = {"completion_tokens": 532, "completion_tokens_details": {"reasoning_tokens": 512}}
    assert_dash(answered(Steady([1] * 20, **hidden)), meter.HIDDEN.format(thought=512))


def test_hidden_thinking_that_is_counted_as_answer_is_a_dash():
    assert_dash(answered(Steady([1] * 20, completion_tokens=276)), meter.UNSEEN.format(tokens=276))


def test_two_chunks_of_twenty_tokens_are_a_dash():
    assert_dash(answered(Steady([20, 20], per_event=False, completion_tokens=40)), meter.BUNDLED.format(moments=2))


def test_eight_chunks_of_five_tokens_without_a_count_are_a_dash():
    found = answered(Steady([5] * 8, per_event=False))
    assert_dash(found, meter.NOBODY_COUNTED)
    assert found.usage == Usage()


def test_eight_chunks_of_five_tokens_with_a_count_have_the_true_speed():
    steady = Steady([5] * 8, per_event=False, completion_tokens=40)
    assert_true(answered(steady), steady)


@pytest.mark.parametrize("chunked", [False, True])
def test_twenty_events_in_each_read_are_a_dash_however_they_are_framed(chunked: bool):
    steady = Steady([20, 20], completion_tokens=40)
    steady.chunked = chunked
    assert_dash(answered(steady), meter.BUNDLED.format(moments=2))


def test_two_events_in_each_of_ten_reads_have_the_true_speed():
    steady = Steady([2] * 10, completion_tokens=20)
    steady.chunked = True
    found = answered(steady)
    assert_true(found, steady)
    assert found.stamps.moments == 10
    assert found.stamps.begun_chunks == 2


def test_events_that_left_the_socket_in_one_read_have_one_stamp():
    """The transfer encoding frames each of them, and httpx hands them out one by one."""
    steady = Steady([6], completion_tokens=6)
    steady.chunked = True
    found = answered(steady)
    assert found.stamps.chunks == 6
    assert found.stamps.first_s == found.stamps.last_s


def test_counts_that_come_with_the_text_have_the_true_speed_whatever_was_hidden_before_it():
    steady = Steady([3, 1, 2, 4, 2, 1, 3, 2, 2], per_event=False, counts=True, completion_tokens=521)
    assert_true(answered(steady), steady)


def test_a_retry_of_a_busy_server_is_said_while_it_lasts_and_kept_with_the_answer():
    busy: Script = [("status", 503, {"Retry-After": "0.3"}, b"")]
    with BadServer(busy, ANSWER) as server:
        engine = OpenAIEngine(ModelSpec("far", "Far", "openai", "tiny", server.url))
        asked = Entrant(engine, tuple(ASK), Sampling())
        race = Race({"left": asked, "right": Entrant(ScriptedEngine(), tuple(ASK), Sampling())}, "together")
        stages = [now.left.loading.stage for now in race.snapshots(lambda: 0.01) if now.left.loading]
        engine.close()
    assert "its server is busy (503): asking again in 0.3 s" in stages
    left = race.now.left
    assert (left.status, left.cold) == ("done", None)
    assert left.notice == "its server was busy (503) and was asked again after 0.3 s; times count from then"


def test_a_leading_line_feed_is_the_first_token_when_it_came_and_no_first_answer():
    """It may be the beginning of a mark, so it is held back until the next text; its stamp is its own."""
    sent = []

    def script(request: Request) -> Iterator[Step]:
        yield sse()
        for words in ("\n", "Once upon a time."):
            yield ("wait", 0.3)
            sent.append(time.monotonic())
            yield ("send", event(text(words)))
        yield ("send", event(text("", finish_reason="stop")) + DONE)

    state = AnswerState(Answer("m"))
    with BadServer(script) as server:
        client = ChatClient(server.url)
        with client.stream("tiny", ASK, Sampling()) as stream:
            for each in stream:
                state.apply(each)
        client.close()
    stamps = state.snapshot().stamps
    assert sent[0] <= (stamps.first_s or 0) < sent[1] <= (stamps.first_answer_s or 0)
    assert state.snapshot().text == "\nOnce upon a time."
