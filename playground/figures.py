"""Knows how each figure is named, defined and written for people. Knows neither terminal nor page.

Unknown is a dash with the reason, never 0.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass

from playground.types import Answer, Interference, Usage


@dataclass(frozen=True, slots=True)
class Figure:
    """One line of the tale of the tape. `better` is -1 when less is better, 1 when more is."""

    name: str
    unit: str
    definition: str
    better: int
    value: Callable[[Answer], float | None]


@dataclass(frozen=True, slots=True)
class Cell:
    """One figure of one side, ready to be shown; `why` explains the method, or why there is a dash."""

    text: str
    unit: str
    value: float | None
    why: str


FIGURES: tuple[Figure, ...] = (
    Figure("first token", "s", "request sent to the first text, thinking or answer", -1, lambda a: a.timing.ttft_s),
    Figure("first answer", "s", "request sent to the first text of the answer itself", -1, lambda a: a.timing.ttfa_s),
    Figure("total", "s", "request sent to the last text", -1, lambda a: a.timing.total_s),
    Figure(
        "speed",
        "tok/s",
        "tokens that came after the first text, over the time from there to the last; tokenizers differ between models",
        1,
        lambda a: a.timing.decode_tokens_per_s,
    ),
    Figure(
        "characters",
        "/s",
        "characters after the first text, over the same time; comparable between models",
        1,
        lambda a: a.timing.chars_per_s,
    ),
    Figure(
        "chunk gap",
        "ms",
        "median time between two texts; servers may bundle tokens",
        -1,
        lambda a: _ms(a.timing.chunk_gap_p50_s),
    ),
    Figure(
        "slow gap",
        "ms",
        "95 of 100 gaps between two texts are shorter than this",
        -1,
        lambda a: _ms(a.timing.chunk_gap_p95_s),
    ),
    Figure("load", "s", "start of the model to ready; never part of a latency", -1, lambda a: a.timing.load_s),
    Figure("weights", "B", "bytes of the model's tensors as stored", -1, lambda a: a.memory.weights_bytes),
    Figure(
        "peak memory",
        "B",
        "the most the model's process held during this answer, in RAM and on GPUs",
        -1,
        lambda a: a.memory.peak_bytes,
    ),
    Figure("held now", "B", "what the model's process holds, in RAM and on GPUs", -1, lambda a: a.memory.process_bytes),
    Figure(
        "before weights",
        "B",
        "the part of both that was there before any weights: interpreter and libraries, of no model",
        -1,
        lambda a: a.memory.baseline_bytes,
    ),
    Figure(
        "waited for CPU",
        "%",
        "of the time in which the model's threads wanted a CPU, the part that they waited for one; threads that spin "
        "while they wait for each other count as running",
        -1,
        lambda a: _percent(a.interference.wait_share),
    ),
    Figure(
        "used by others",
        "%",
        "of the CPU time that there was during this answer, the part that everything but the model took",
        -1,
        lambda a: _percent(a.interference.other_share),
    ),
)
COUNTS: Mapping[str, Callable[[Usage], int | None]] = {
    "prompt": lambda usage: usage.prompt_tokens,
    "thinking": lambda usage: usage.reasoning_tokens,
    "answer": lambda usage: usage.answer_tokens,
    "all output": lambda usage: usage.output_tokens,
}
AT_A_GLANCE = ("first token", "total", "speed", "peak memory")
"""The four that have bars: what a person feels, and what it costs."""


def cell(figure: Figure, answer: Answer) -> Cell:
    """That figure of that answer."""
    value = figure.value(answer)
    if value is None:
        return Cell("–", "", None, f"{figure.definition}. {why_unknown(figure, answer)}")
    text, unit = written(value, figure.unit)
    note = (
        f" Method: {answer.memory.method}."
        if figure.unit == "B" and figure.name != "weights" and answer.memory.method
        else ""
    )
    if figure.unit == "tok/s":
        note = f" Tokens counted by: {answer.stamps.counted_by or answer.usage.source or 'unknown'}."
    if figure.unit == "%":
        note = f" {_takers(answer.interference)}."
    if answer.threads and figure.unit != "B" and figure.name != "load":
        note += f" CPU threads of the model: {answer.threads}."
    return Cell(text, unit, value, f"{figure.definition}.{note}")


def why_unknown(figure: Figure, answer: Answer) -> str:
    """Why there is a dash, as a sentence."""
    if figure.name == "before weights" and answer.memory.process_bytes is not None:
        return "This server has no moment without weights."
    if figure.unit == "B":
        return _sentence(answer.memory.reason or ("Not measured yet" if not answer.final else "Not measured"))
    if figure.unit == "%" and answer.elsewhere:
        return "It runs elsewhere."
    if figure.unit == "%":
        return _sentence(answer.interference.reason or ("Not measured yet" if not answer.final else "Not measured"))
    if figure.name == "load" and answer.elsewhere:
        return "It runs elsewhere."
    if figure.name == "load" and answer.stamps.sent_s is not None:
        return "The model was ready before."
    if figure.name == "speed" and answer.timing.decode_reason:
        return answer.timing.decode_reason
    if answer.status == "failed":
        return "This side failed."
    if not answer.final:
        return "Not known yet."
    if figure.name == "load":
        return "It was stopped before."
    if not answer.stamps.chunks:
        return "No text came."
    if figure.name == "first answer" and answer.text:
        return "No text of the answer shows."
    return "Only thinking came, no answer." if figure.name == "first answer" else "Too little text to measure."


def why_uncounted(answer: Answer) -> str:
    """Why a count of tokens is a dash, as a sentence."""
    if not answer.final:
        return "Counted when the answer has ended."
    if answer.usage.undivided_tokens is not None:
        return "Its server counts thinking and answer together."
    return "Nobody counted them."


def written(value: float, unit: str) -> tuple[str, str]:
    """The value as people read it, with its unit: seconds, milliseconds, rates and bytes (decimal, as disks count)."""
    if unit == "B":
        return size(int(value))
    if unit == "s":
        return (f"{value:.2f}" if value < 9.995 else f"{value:.1f}" if value < 99.95 else f"{value:.0f}"), unit
    if unit == "%":
        return f"{value:.0f}", unit
    return (f"{value:.1f}" if value < 9.95 else f"{value:.0f}"), unit


def size(count: int) -> tuple[str, str]:
    """Bytes as (number, unit): 98 MB, 1.09 GB."""
    if count < 999_500:
        return f"{count / 1_000:.0f}", "kB"
    return (f"{count / 1e6:.0f}", "MB") if count < 999_500_000 else (f"{count / 1e9:.2f}", "GB")


def badges(answer: Answer) -> list[tuple[str, str]]:
    """What must be known about these figures, each with its explanation."""
    marks = []
    if answer.cold:
        marks.append(
            ("cold", "first answer since the model was loaded: caches were empty, so it is slower than later ones")
        )
    if answer.contended:
        marks.append(("contended", "the other model worked on this machine at the same time: they slowed each other"))
    elif answer.final and answer.interference.disturbed:
        marks.append(_disturbed(answer.interference))
    if answer.elsewhere:
        marks.append(("elsewhere", "it ran on another machine: the network is in its times, and its memory is unknown"))
    if answer.usage.cached_tokens:
        note = f"{answer.usage.cached_tokens} tokens of the prompt came from the server's cache: first token is early"
        marks.append(("cached prompt", note))
    return marks


def _disturbed(found: Interference) -> tuple[str, str]:
    """Who took the CPUs, and how much."""
    takers = {"other programs": _programs(found), "this app": found.app_share or 0, "the host": found.steal_share or 0}
    most = max(takers, key=lambda name: takers[name])
    who = most if takers[most] >= FELT else "too few CPUs"
    share = max(found.wait_share or 0, found.other_share or 0)
    waited = "an unknown part" if found.wait_share is None else f"{100 * found.wait_share:.0f} %"
    much = f"{100 * share:.{0 if share >= 0.2 else 1}f}"  # 10.2 % is over the limit, and 10 % would not be
    return f"disturbed {much} % by {who}", (
        f"the model's threads waited {waited} of the time in which they wanted a CPU. {_takers(found)}. These times "
        "are left out of medians"
    )


FELT = 0.01
"""With a smaller share nobody else is to blame: the model has more threads than CPUs, or its container has a limit."""


def _takers(found: Interference) -> str:
    if found.other_share is None:
        return "What others took is unknown"
    shares = {"other programs": _programs(found), "this app": found.app_share, "the machine's host": found.steal_share}
    told = [f"{name} {100 * share:.0f} %" for name, share in shares.items() if share is not None]
    return f"Of all CPU time: {', '.join(told)}"


def _programs(found: Interference) -> float:
    """What went to neither the model, this app nor the host."""
    return max(0.0, (found.other_share or 0.0) - (found.app_share or 0.0) - (found.steal_share or 0.0))


def _percent(share: float | None) -> float | None:
    return None if share is None else 100 * share


def _ms(seconds: float | None) -> float | None:
    return None if seconds is None else seconds * 1000


def _sentence(text: str) -> str:
    return text[:1].upper() + text[1:].rstrip(".") + "."
