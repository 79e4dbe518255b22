"""Qwen3.5-9B at its full size on this machine: random weights in its exact shape, through catalog, worker and /compare.

python -m benchmarks.full_size --folder DIR      writes 18.8 GB there (kept with --keep), needs 24 GB of memory

Nothing is fetched: what is measured is what size costs, not what the model says. Beside it answers a small model, and a
27B row is asked for, which must be refused before anything happens.
"""

from __future__ import annotations

import argparse
import json
import shutil
import struct
import sys
import time
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import numpy as np

from benchmarks import common
from playground import fit, headers, machine, weights
from playground.fit import known
from playground.types import ModelSpec
from tests import site

SOURCE = "Qwen/Qwen3.5-9B"
SMALL = "smollm2-135m-q4"
SHARD_BYTES = 2_000_000_000
TILE = 16 * 1024 * 1024
"""Numbers that are drawn once and written over and over, from another place for each tensor: all pages are real."""
LIKE = weights.PACKAGE / "weights" / "shapes-small"
"""Whose tokenizer and picture processor the checkpoint gets."""
ROWS = """
[[model]]
key = "full"
title = "Random weights in the shape of Qwen3.5"
engine = "transformers"
source = "{folder}"
context_tokens = 4096
parameters_b = 9.41

[[model]]
key = "too-large"
title = "Qwen3.5 27B"
engine = "transformers"
source = "Qwen/Qwen3.5-27B"
repository = "Qwen/Qwen3.5-27B"
context_tokens = 4096
parameters_b = 27.4
"""


def made(config: Mapping[str, Any]) -> Any:
    """The config object of Qwen3.5's class for these numbers."""
    from transformers import Qwen3_5Config

    said = json.loads(json.dumps(config))
    said["text_config"]["rope_parameters"] = {
        "rope_type": "default",
        "rope_theta": 10_000_000,
        "partial_rotary_factor": 0.25,
        "mrope_interleaved": True,
        "mrope_section": [11, 11, 10],
    }
    said["text_config"]["tie_word_embeddings"] = said.get("tie_word_embeddings", False)
    return Qwen3_5Config(**said, dtype="bfloat16", architectures=["Qwen3_5ForConditionalGeneration"])


def tensors(config: Any) -> dict[str, tuple[int, ...]]:
    """Name and shape of every tensor that a checkpoint of that config holds; builds the model without memory."""
    import torch
    from transformers import Qwen3_5ForConditionalGeneration

    with torch.device("meta"):
        model = Qwen3_5ForConditionalGeneration(config)
    left_out = {"lm_head.weight"} if config.tie_word_embeddings else set()
    return {name: tuple(each.shape) for name, each in model.state_dict().items() if name not in left_out}


def shards(shapes: Mapping[str, tuple[int, ...]], most: int) -> Iterator[dict[str, tuple[int, ...]]]:
    """The tensors in files of at most so many bytes, in their order; a larger tensor has a file of its own."""
    part: dict[str, tuple[int, ...]] = {}
    held = 0
    for name, shape in shapes.items():
        size = 2 * int(np.prod(shape))
        if part and held + size > most:
            yield part
            part, held = {}, 0
        part[name], held = shape, held + size
    yield part


def write(folder: Path, config: Any, most: int = SHARD_BYTES) -> int:
    """A bf16 checkpoint with random numbers; returns the bytes of its tensors. Holds one tile in memory."""
    folder.mkdir(parents=True, exist_ok=True)
    tile = (np.random.default_rng(0).normal(0, 0.02, TILE).astype("<f4").view("<u4") >> 16).astype("<u2").tobytes()
    parts = list(shards(tensors(config), most))
    index: dict[str, str] = {}
    total = 0
    for number, part in enumerate(parts, start=1):
        name = f"model-{number:05}-of-{len(parts):05}.safetensors"
        total += _write_shard(folder / name, part, tile)
        index |= dict.fromkeys(part, name)
    said = {"metadata": {"total_size": total}, "weight_map": index}
    (folder / "model.safetensors.index.json").write_text(json.dumps(said), encoding="utf-8")
    for path in LIKE.iterdir():
        if path.name not in ("config.json", "model.safetensors"):
            shutil.copy(path, folder)
    _fill_vocabulary(folder / "tokenizer.json", config.get_text_config().vocab_size)
    config.save_pretrained(folder)
    return total


def _fill_vocabulary(path: Path, size: int) -> None:
    """A word for every number that the model can say, or its answers would be empty."""
    said = json.loads(path.read_text(encoding="utf-8"))
    taken = {*said["model"]["vocab"].values(), *(token["id"] for token in said["added_tokens"])}
    said["model"]["vocab"] |= {f"\u0120w{number}": number for number in range(size) if number not in taken}
    path.write_text(json.dumps(said), encoding="utf-8")


def _write_shard(path: Path, part: Mapping[str, tuple[int, ...]], tile: bytes) -> int:
    header, at = {"__metadata__": {"format": "pt"}}, 0
    for name, shape in part.items():
        end = at + 2 * int(np.prod(shape))
        header[name] = {"dtype": "BF16", "shape": list(shape), "data_offsets": [at, end]}  # type: ignore[dict-item]
        at = end
    text = json.dumps(header).encode()
    text += b" " * (-len(text) % 8)
    with path.open("wb") as file:
        file.write(struct.pack("<Q", len(text)) + text)
        for number, shape in enumerate(part.values()):
            _fill(file, 2 * int(np.prod(shape)), tile, 2 * ((number * 1_000_003) % TILE))
    return at


def _fill(file: Any, size: int, tile: bytes, begin: int) -> None:
    while size:
        piece = tile[begin : begin + size]
        file.write(piece)
        size, begin = size - len(piece), 0


def ask(url: str, left: str, right: str) -> dict[str, Any]:
    """One comparison through the page's own endpoint, one side after the other."""
    from gradio_client import Client

    client = Client(url, verbose=False)
    asked = {"left": left, "right": right, "pacing": "in-turn", "max_tokens": 16, "temperature": 0.0}
    found: dict[str, Any] = client.predict("Count to five.", **asked, api_name="/compare")
    return found


def main() -> None:
    """Write, judge, run, compare; print the table and, last, one JSON line."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--folder", type=Path, required=True)
    parser.add_argument("--source", default=SOURCE, help="another dense model of the family")
    parser.add_argument("--keep", action="store_true", help="leave the checkpoint there")
    args = parser.parse_args()
    folder = args.folder.absolute() / f"{Path(args.source).name}-random"
    free, here = shutil.disk_usage(args.folder).free, (folder / "config.json").exists()  # it is written last
    if not here and free < 22e9:
        sys.exit(f"{args.folder} has {free / 1e9:.1f} GB free; this needs 22 GB.")
    config = made(known.shapes()[args.source.lower()].config)
    begun = time.monotonic()
    total = headers.weights_bytes(folder) if here else write(folder, config)
    written_s = time.monotonic() - begun
    try:
        spec = ModelSpec("full", "Full", "transformers", source=str(folder), context_tokens=4096)
        now = machine.look()
        judged = fit.judge(spec, now, stored=fit.look(folder))
        with site.app(args.folder, ROWS.format(folder=folder), "--left", "full", "--right", SMALL) as url:
            answers = [ask(url, "full", SMALL) for _ in range(3)]
            refused = ask(url, "too-large", SMALL)["left"]
    finally:
        if not args.keep:
            shutil.rmtree(folder, ignore_errors=True)
    _report(total or 0, written_s, judged, answers, str(refused["error"]))


def shown(value: float | None, unit: str) -> str:
    """A figure, or a dash."""
    return "–" if value is None else f"{value:.1f} {unit}"


def _report(total: int, written_s: float, judged: fit.Fit, answers: list[dict[str, Any]], refused: str) -> None:
    print(f"{total:,} bytes of tensors, written in {written_s:.0f} s. Said beforehand: {judged.verdict}. {judged.why}")
    rows = []
    for number, answer in enumerate(answers, start=1):
        for side in ("left", "right"):
            one = answer[side]
            if one["error"]:
                sys.exit(f"{one['model']} failed: {one['error']}")
            timing, held = one["timing"], one["memory"]
            rows.append(
                [
                    f"{number}, {one['model']}",
                    "cold" if one["cold"] else "",
                    shown(timing["load_s"], "s"),
                    shown(timing["ttft_s"], "s"),
                    shown(timing["decode_tokens_per_s"], "tok/s"),
                    f"{held['weights_bytes'] / 1e9:.2f} GB",
                    f"{held['peak_bytes'] / 1e9:.2f} GB",
                ]
            )
    common.table(["answer", "", "load", "first token", "speed", "weights", "peak"], rows)
    print(f"Refused: {refused}")
    results = {"tensors_bytes": total, "written_s": written_s, "need_bytes": judged.need_bytes, "answers": answers}
    common.finish("full_size", {**results, "verdict": judged.verdict, "refused": refused})


if __name__ == "__main__":
    main()
