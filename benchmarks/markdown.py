"""What does it cost to render an answer while it is written? Run with `python -m benchmarks.markdown`.

Answers of several kinds arrive in tokens of four characters, two to an update: a model at 30 tok/s, a page with 15
updates a second. Seconds are the thread's CPU time, so that what else runs on the machine counts little.

Results: benchmarks/README.md.
"""

from __future__ import annotations

import random
import re
import statistics
import time
from dataclasses import dataclass

from benchmarks import common
from playground.ui.markdown import MarkdownStream, render

CHARS = (4_000, 40_000)
TOKENS_AN_UPDATE = 2
WORDS = [
    "the",
    "model",
    "answers",
    "with",
    "words",
    "that",
    "one",
    "reads",
    "and",
    "sometimes",
    "a",
    "longer",
    "explanation",
    "of",
    "performance",
    "or",
    "memory",
]
HOSTILE = {
    "`*a ` x 30,000": "*a " * 30_000,
    "`>` x 5,000": ">" * 5_000,
    "`[` x 50,000": "[" * 50_000,
    "`\\(` x 14,000": "\\(" * 14_000,
    "a line of 3 MB": "word and more " * 214_000,
    "10,000 paragraphs": "Some words here.\n\n" * 10_000,
    "a fence of 280 kB that only ends at the end": "```python\n" + "x = [1, 2, 3]\n" * 20_000 + "```",
    "a table of 1,000 columns": "|" + "a|" * 1_000 + "\n|" + "-|" * 1_000 + "\n" + ("|" + "b|" * 1_000 + "\n") * 5,
    "100,000 tokens": ("Some **words** here and `there`, as one does. " * 12 + "\n\n") * 800,
}


@dataclass(frozen=True)
class Cost:
    """CPU time of one answer: of each update (ms), of its whole stream and of its end (s)."""

    updates_ms: tuple[float, ...]
    stream_s: float
    end_s: float


def words(count: int, rng: random.Random) -> str:
    return " ".join(rng.choice(WORDS) for _ in range(count))


def paragraph(rng: random.Random) -> str:
    return f"{words(30, rng)}, **{words(2, rng)}** and `code` {words(20, rng)}. {words(15, rng)} *{words(1, rng)}*.\n\n"


def items(rng: random.Random) -> str:
    lines = (f"{n}. **{words(2, rng)}**: {words(20, rng)} `x` {words(5, rng)}.\n" for n in range(1, 8))
    return "".join(lines) + "\n"


def code(rng: random.Random) -> str:
    lines = (f"def f{n}(x):\n    return [x + {n} for _ in range(10)]  # {words(4, rng)}\n\n" for n in range(8))
    return f"```python\n{''.join(lines)}```\n\n"


def rows(rng: random.Random) -> str:
    lines = (f"| {words(3, rng)} | {words(4, rng)} | {n} |\n" for n in range(8))
    return f"| a | b | c |\n|---|---|---|\n{''.join(lines)}\n"


def formulas(rng: random.Random) -> str:
    n = rng.randint(1, 99)
    return f"{words(10, rng)} $x_{{{n}}}^2$ {words(8, rng)}\n\n$$\n\\frac{{{n}}}{{2}} = \\sqrt{{x}}\n$$\n\n"


KINDS = {"paragraphs": paragraph, "lists": items, "code": code, "tables": rows, "formulas": formulas}


def answer(kind: str, chars: int) -> str:
    """An answer of that kind, or of all kinds, and about that length; the same each time."""
    rng, text = random.Random(1), ""
    while len(text) < chars:
        text += KINDS.get(kind, rng.choice(list(KINDS.values())))(rng)
    return text


def stream(text: str) -> Cost:
    """Render an answer as it arrives."""
    tokens = re.findall(r"\s*\S{1,4}|\s+", text)
    rendered = MarkdownStream()
    updates_ms = []
    began_s = time.thread_time()
    for at in range(0, len(tokens), TOKENS_AN_UPDATE):
        for token in tokens[at : at + TOKENS_AN_UPDATE]:
            rendered.feed(token)
        before_s = time.thread_time()
        rendered.refresh()
        updates_ms.append(1_000 * (time.thread_time() - before_s))
    written_s = time.thread_time()
    rendered.finish()
    return Cost(tuple(updates_ms), written_s - began_s, time.thread_time() - written_s)


def main() -> None:
    stream(answer("all", 10_000))  # loads lexers and symbols
    kinds, found = [], {}
    for kind in [*KINDS, "all"]:
        costs = {chars: stream(answer(kind, chars)) for chars in CHARS}
        short, long = (1_000_000 * cost.stream_s / chars for chars, cost in costs.items())
        updates_ms = sorted(costs[CHARS[1]].updates_ms)
        found[kind] = {
            "update_median_ms": statistics.median(updates_ms),
            "update_mean_ms": statistics.mean(updates_ms),
            "update_p95_ms": updates_ms[len(updates_ms) * 95 // 100],
            "us_a_char_short": short,
            "us_a_char_long": long,
            "end_ms": 1_000 * costs[CHARS[1]].end_s,
        }
        kinds.append(
            [kind, *(f"{value:.3f}" for value in list(found[kind].values())[:3]), f"{short:.1f}", f"{long:.1f}"]
        )
    common.table(["answers of", "update, median ms", "mean ms", "95 % ms", "µs a character at 4 kB", "at 40 kB"], kinds)
    print()
    at_once = {}
    for name, text in HOSTILE.items():
        before_s = time.thread_time()
        html = render(text)
        at_once[name] = {"ms": 1_000 * (time.thread_time() - before_s), "elements": html.count("<") // 2}
    shown = [[name, f"{one['ms']:.0f}", f"{one['elements']:,}"] for name, one in at_once.items()]
    common.table(["rendered at once", "ms", "elements"], shown)
    common.finish("markdown", {"streamed": found, "at_once": at_once})


if __name__ == "__main__":
    main()
