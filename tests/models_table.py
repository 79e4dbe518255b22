"""Writes docs/models.md from the catalog: python -m tests.models_table. Not a test itself; test_readme compares."""

from __future__ import annotations

from pathlib import Path

from playground import catalog
from playground.fit import judge
from playground.machine import Gpu, Machine
from playground.types import ModelSpec, Sampling

PAGE = Path(__file__).resolve().parent.parent / "docs" / "models.md"
BOUNDLESS = Machine(10**13, 10**13, (Gpu(0, "boundless", 10**13, 10**13, (9, 0)),), mxfp4_kernels=True, llama_gpu=True)
HEAD = """# Models that come with the playground

Written by `python -m tests.models_table` from `playground/models.toml`; a test compares. A dash: not known, or not so.
Facts are of the models' own pages; the file says of which. `context` is what the row reserves memory for and reads,
then what the makers say that the model can read. `memory` is the need on a GPU at that context, as
`python -m playground models` judges it for your machine: weights, KV cache, overhead.

Ways to run: `-q4` is a 4-bit GGUF on llama.cpp (with its image file where the model reads images), `-bf16` and `-bnb4`
(bitsandbytes, 4 bit) run on transformers, `-mxfp4` as its makers stored it, `-hub` at a provider of the Hub by its
router (key in `HF_TOKEN`; whether a provider serves the model today shows when it is asked). Mixtures of experts have
no `-bnb4` row: transformers leaves their experts in 16 bits.

| key | Hub | licence | parameters (active), billions | context | reads | runs on | memory, GB |
|---|---|---|---|---|---|---|---|
"""
SAMPLINGS = """
## Recommended sampling

What the makers recommend, and what is asked for where you set nothing else. A model that thinks unasked does so when
Settings say "model's default". Servers that do not know `top_k`, `min_p` or `presence_penalty` are asked without.

| models | thinks | without thinking | thinking |
|---|---|---|---|
"""
OWN = """
## Your own weights: fine-tuned, with an adapter, without a chat template

A row for a fine-tuned checkpoint names its folder or Hub id in `source`; `like` takes the rest from its base's row.

    [[model]]
    like = "qwen3.5-9b-bf16"
    key = "mine"
    title = "Mine"
    source = "~/models/mine"

A LoRA adapter is named beside its base, as a folder (`./mine`, `~/mine`, `/srv/mine`) or as ORG/NAME of the Hub:

    [[model]]
    like = "qwen3.5-9b-bf16"                # or -bnb4: an adapter works on a base in 4 bits too
    key = "mine"
    title = "Mine"
    adapter = "./mine"

It is for the engine transformers and needs `peft`, the extra `adapters` (`pip install peft`). Both lie in one folder of
links in the cache; nothing is merged, and of the base nothing is copied. A tokenizer or chat template in the adapter's
folder is used in the place of the base's. Its bytes count as weights. It is refused where it does not belong to the
base: before the load by its names and shapes, after it by what transformers says of tensors without a place. Where it
fits but names another base than the row, each answer says so.

A model without a chat template, by what its files say (`chat_template.jinja`, the tokenizer's settings, the header of a
GGUF), gets the conversation as one text and continues it: turns are parted by an empty line, and an answer stands right
behind what it continued. Its pane says that it is a base model. It cannot be shown images that way, and says so.
Qwen3.5 9B Base is asked as any other model if its files hold the template that its card speaks of.
"""
SERVERS = """
## Servers of this machine

`vllm`, `sglang`, `ollama`, `lm-studio` and `llama-server` name no model: what the server at its usual port offers is
asked when the row is used. If it offers one, that one answers; of several you choose, on the page or as KEY/MODEL:
`--left ollama/qwen3:8b`. A model that is in the table above is known by its name on the Hub there too.
"""


def page() -> str:
    """The whole page."""
    rows = list(catalog.load())
    table = "".join(_line(row) for row in rows)
    return HEAD + table + SAMPLINGS + _samplings(rows) + OWN + SERVERS


def _line(row: ModelSpec) -> str:
    hub = f"[{row.repository}](https://huggingface.co/{row.repository})" if row.repository else "–"
    size = f"{row.parameters_b:g}" if row.parameters_b else "–"
    size += f" ({row.active_parameters_b:g})" if row.active_parameters_b else ""
    context = " / ".join(f"{n:,}" if n else "–" for n in (row.context_tokens, row.trained_context_tokens))
    reads = "text, images" if row.reads_images else "–" if row.template else "text"
    cells = [f"`{row.key}`", hub, row.licence or "–", size, context, reads, _place(row), _memory(row)]
    return f"| {' | '.join(cells)} |\n"


def _place(row: ModelSpec) -> str:
    if row.engine != "openai":
        return row.engine
    return f"a server at {row.base_url}" if row.local else "the Hub's router"


def _memory(row: ModelSpec) -> str:
    need = judge(row, BOUNDLESS).need_bytes
    return f"{need / 1e9:.1f}" if need else "–"


def _samplings(rows: list[ModelSpec]) -> str:
    groups: dict[tuple[str, str, str], list[str]] = {}
    for row in rows:
        if row.template or row.sampling.thinking is not None:
            continue
        plain = "–" if row.thinks_unasked and not row.thinking else _said(row.sampling)
        thought = row.sampling_thinking or (row.sampling if row.thinks_unasked else None)
        thinks = "unasked" if row.thinks_unasked else "when asked" if row.thinking else "no"
        thinks = "always" if row.thinks_unasked and not row.thinking else thinks
        name = row.title.partition(" · ")[0]
        names = groups.setdefault((thinks, plain, _said(thought)), [])
        names += [] if name in names else [name]
    return "".join(f"| {', '.join(names)} | {' | '.join(group)} |\n" for group, names in groups.items())


def _said(sampling: Sampling | None) -> str:
    names = ("temperature", "top_p", "top_k", "min_p", "presence_penalty")
    said = [f"{name} {value:g}" for name in names if sampling and (value := getattr(sampling, name)) is not None]
    return ", ".join(said) or "–"


if __name__ == "__main__":
    PAGE.write_text(page(), encoding="utf-8")
