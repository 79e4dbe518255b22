"""Knows what a row of a models file says. Knows no file and no rule. `types` hands all of it on.

Unknown is None, never 0.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from playground.addresses import on_this_machine

EngineName = Literal["openai", "transformers", "llama.cpp", "replay"]
_WORKERS = ("transformers", "llama.cpp")


@dataclass(frozen=True, slots=True)
class Sampling:
    """What is asked of the sampler; None leaves the choice to the server. `thinking` None: the model's default.

    `top_k`, `min_p` and `presence_penalty` are not asked for on the page: they come from a row, and a server that does
    not know them is asked without.
    """

    temperature: float | None = None
    top_p: float | None = None
    max_tokens: int | None = None
    seed: int | None = None
    thinking: bool | None = None
    top_k: int | None = None
    min_p: float | None = None
    presence_penalty: float | None = None


@dataclass(frozen=True, slots=True)
class ModelSpec:
    """One row of a models file: all that is needed to open an engine. Capabilities default to no.

    `source` says where the weights are (see `weights.py`) or, for a server, its id of the model.
    `parameters_b` is in billions, all of them; `active_parameters_b` are those that work on one token. `sampling`
    holds the makers' recommended values, `sampling_thinking` those for a thought, where they differ. `thinking`: it can
    be asked to think, or not to; `thinks_unasked`: it thinks when nobody said. `requests_at_once` is how many
    requests the server is sent at the same time (None: any number); who comes later waits in line.

    `context_tokens` is what this row reads and reserves memory for, `trained_context_tokens` what its makers say that
    the model can read. `repository` is the model's page on the Hub, `maker`
    who made it, as the model itself would say. `mmproj` is the file that lets a GGUF read images. `adapter` is a folder
    of this machine or a repository of the Hub with a LoRA adapter, which transformers puts on the model of `source`.
    """

    key: str
    title: str
    engine: EngineName
    source: str = ""
    base_url: str = ""
    api_key_env: str = ""
    revision: str = ""
    quantization: str = ""
    reads_images: bool = False
    thinking: bool = False
    context_tokens: int | None = None
    parameters_b: float | None = None
    sampling: Sampling = Sampling()
    requests_at_once: int | None = None
    family: str = ""
    repository: str = ""
    licence: str = ""
    maker: str = ""
    active_parameters_b: float | None = None
    trained_context_tokens: int | None = None
    mmproj: str = ""
    sampling_thinking: Sampling | None = None
    thinks_unasked: bool = False
    trust_remote_code: bool = False
    adapter: str = ""

    @property
    def template(self) -> bool:
        """It stands for whatever a server offers: its models are asked for when it is used."""
        return self.engine == "openai" and not self.source

    @property
    def process(self) -> tuple[object, ...]:
        """Rows that agree in this ask the same process: the same weights, loaded in the same way."""
        loaded = (self.source, self.base_url, self.revision, self.quantization, self.mmproj, self.context_tokens)
        return (self.engine, *loaded, self.trust_remote_code, self.adapter) if self.engine in _WORKERS else (self.key,)

    @property
    def local(self) -> bool:
        """It computes on this machine, so it competes with other local models: a process of ours, or a server at a
        loopback address."""
        if self.engine == "openai":
            return on_this_machine(self.base_url)
        return self.engine != "replay"
