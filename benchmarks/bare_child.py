"""What people do without this project: `model.generate` in one process, one model or two in two threads.

Run by the other benchmarks as `python -m benchmarks.bare_child FOLDER THREADS alone|threads`. Says `[]` when it is
warm; then each line on its input is one round, answered by a JSON line with decode rates in tokens/s: of one model
alone, or of each of two that generate at the same time.
"""

from __future__ import annotations

import json
import sys
import threading
import time
from typing import Any

from benchmarks.common import PROMPT, TOKENS


def main() -> None:
    """Load, warm up, then measure whenever asked."""
    folder, threads, mode = sys.argv[1], int(sys.argv[2]), sys.argv[3]
    import torch
    from transformers import AutoModelForCausalLM, AutoTokenizer

    torch.set_num_threads(threads)
    tokenizer = AutoTokenizer.from_pretrained(folder)
    models = [AutoModelForCausalLM.from_pretrained(folder, dtype="auto") for _ in range(2 if mode == "threads" else 1)]
    ids = tokenizer.apply_chat_template(
        [{"role": "user", "content": PROMPT}], add_generation_prompt=True, return_tensors="pt", return_dict=True
    )
    _all(models, ids)
    print([], flush=True)
    for _ in sys.stdin:
        print(json.dumps(_all(models, ids)), flush=True)


class _Clock:
    """A streamer that keeps the moment of each token."""

    def __init__(self) -> None:
        self.at_s: list[float] = []

    def put(self, _: Any) -> None:
        self.at_s.append(time.monotonic())

    def end(self) -> None:
        """Nothing to flush."""


def _all(models: list[Any], ids: Any) -> list[float]:
    """Rates of all models, generating at the same time."""
    clocks = [_Clock() for _ in models]
    threads = [
        threading.Thread(
            target=model.generate,
            kwargs={**ids, "max_new_tokens": TOKENS, "min_new_tokens": TOKENS, "do_sample": False, "streamer": clock},
        )
        for model, clock in zip(models, clocks, strict=True)
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    # the first put() is the prompt, the second the first token
    return [(len(clock.at_s) - 2) / (clock.at_s[-1] - clock.at_s[1]) for clock in clocks]


if __name__ == "__main__":
    main()
