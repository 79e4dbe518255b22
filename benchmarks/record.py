"""Records what the two SmolLM2 models answer to prompts of the library: `python -m benchmarks.record`.

Knows how to write what `engines/replay.py` reads. The files in `playground/recordings/` were made by it, each answer by
one run, with the machine to itself, with the row's own sampling and a seed; nothing was chosen or mended.
"""

from __future__ import annotations

import json
import os
import platform
import sys
import time
from datetime import UTC, datetime
from importlib.metadata import version
from pathlib import Path
from typing import Any

import psutil

from playground import asking, catalog, library
from playground.engines import open_engine
from playground.engines.base import Engine
from playground.settings import ROOT, Settings
from playground.types import Delta, Finished, Message, ModelSpec, Prompt, Sampling, Sent

FOLDER = ROOT / "playground" / "recordings"
PROMPTS = ("everyday-01", "everyday-02", "everyday-03", "everyday-04")
"""Those that an empty page offers."""
ASKED = Sampling(max_tokens=200, seed=1)
MOST_DISTURBED = 0.1
"""Share of the machine that other programs may take while an answer is recorded."""


def main() -> int:
    """Write one file a model; prints what it heard."""
    prompts = {prompt.id: prompt for prompt in library.load(ROOT / "prompts")}
    FOLDER.mkdir(exist_ok=True)
    for key in ("smollm2-135m-q4", "smollm2-135m"):
        record(catalog.load().row(key), [prompts[name] for name in PROMPTS], FOLDER / f"{key}.json")
    return 0


def record(spec: ModelSpec, prompts: list[Prompt], file: Path) -> None:
    """All answers of one model, after a first one that warms it and is thrown away."""
    engine = open_engine(spec, Settings())
    try:
        for _ in engine.prepare():
            pass
        take(engine, prompts[0])
        answers = [undisturbed(engine, prompt) for prompt in prompts]
    finally:
        engine.close()
    value = {"schema": 1, "model": spec.key, "made": made(spec), "load": [], "answers": answers}
    file.write_text(json.dumps(value, ensure_ascii=False, indent=1) + "\n", encoding="utf-8")
    for answer in answers:
        print(f"{file.name}: {answer['usage']['answer_tokens']} tokens, {answer['match']}")


def undisturbed(engine: Engine, prompt: Prompt) -> dict[str, Any]:
    """An answer during which other programs left the machine alone; asked again until that is so. Its words are the
    same each time, by the seed: only times are made new."""
    while True:
        before_s, begun_s = others_s(), time.monotonic()
        answer = take(engine, prompt)
        share = (others_s() - before_s) / ((time.monotonic() - begun_s) * (os.cpu_count() or 1))
        print(f"others took {share:.0%} of the machine during: {prompt.text}", flush=True)
        if share <= MOST_DISTURBED:
            return answer
        time.sleep(2)


def others_s() -> float:
    """CPU seconds of all programs but this one and its model, since the machine began."""
    every, own = psutil.cpu_times(), psutil.Process()
    busy = every.user + every.nice + every.system + every.irq + every.softirq
    family = [own, *own.children(recursive=True)]
    return busy - sum(sum(process.cpu_times()[:2]) for process in family)


def made(spec: ModelSpec) -> str:
    """When, by what and on what."""
    engine = "xllamacpp" if spec.engine == "llama.cpp" else "transformers"
    machine = f"{os.cpu_count()} {platform.machine()} cores without a GPU"
    return f"made on {datetime.now(UTC):%Y-%m-%d} by {engine} {version(engine)} on {machine}; its times are of that run"


def take(engine: Engine, prompt: Prompt) -> dict[str, Any]:
    """One answer, with the seconds after the request of every text."""
    messages, _ = asking.fit_to(engine.spec, asking.conversation(prompt.system, (), Message("user", prompt.text)))
    sampling = asking.merge(ASKED, asking.recommended(engine.spec, ASKED))
    sent_s, events = 0.0, []
    for event in engine.stream(messages, sampling):
        match event:
            case Sent(at_s):
                sent_s = at_s
            case Delta(text, at_s, reasoning):
                events.append([round(at_s - sent_s, 4), "reasoning" if reasoning else "text", text])
            case Finished(reason, usage):
                counts = {"prompt_tokens": usage.prompt_tokens, "answer_tokens": usage.answer_tokens}
                return {
                    "match": prompt.text,
                    "events": events,
                    "finish_reason": reason,
                    "usage": {**counts, **({"source": usage.source} if usage.source else {})},
                }
    raise RuntimeError("the answer did not end")


if __name__ == "__main__":
    sys.exit(main())
