"""What the two local servers are told on their command lines, and what a refusal to load means."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from argparse import Namespace
from dataclasses import replace
from pathlib import Path

import pytest

from playground.engines.llama import LlamaEngine
from playground.engines.llama_child import params
from playground.engines.serve import TransformersEngine
from playground.errors import WorkerError
from playground.types import ModelSpec

FOLDER = ModelSpec("mine", "Mine 1B", "transformers", source="./mine")
GGUF = ModelSpec("seer", "Seer", "llama.cpp", source="./seer.gguf", context_tokens=4096)


def error(message: str) -> str:
    """What `transformers serve` streams when it cannot load."""
    return "data: " + json.dumps({"status": "error", "message": message})


def test_code_that_comes_with_a_model_is_refused_with_the_way_to_allow_it(tmp_path: Path):
    said = "The repository ./mine contains custom code which must be executed to correctly load the model.\n"
    said += "Please pass the argument `trust_remote_code=True` to allow custom code to be run."
    engine = TransformersEngine(FOLDER, tmp_path)
    with pytest.raises(WorkerError, match=r"Mine 1B comes with Python code.*`trust_remote_code = true`.*row mine"):
        engine._heard(error(said), lambda _: None)
    assert "--trust-remote-code" not in engine._command(tmp_path, 1)


def test_a_row_may_allow_that_code(tmp_path: Path):
    engine = TransformersEngine(replace(FOLDER, trust_remote_code=True), tmp_path)
    assert "--trust-remote-code" in engine._command(tmp_path, 1)


def test_another_error_of_loading_is_quoted(tmp_path: Path):
    with pytest.raises(WorkerError, match=r'could not be loaded: "no such tensor"'):
        TransformersEngine(FOLDER, tmp_path)._heard(error("no such tensor\nmore"), lambda _: None)


def test_a_gguf_gets_the_file_that_lets_it_see(tmp_path: Path):
    projector = tmp_path / "mmproj.gguf"
    projector.write_bytes(b"GGUF")
    command = list(LlamaEngine(replace(GGUF, mmproj=str(projector)), tmp_path)._command(tmp_path / "seer.gguf", 1))
    assert command[command.index("--mmproj") + 1] == str(projector)
    assert "--mmproj" not in LlamaEngine(GGUF, tmp_path)._command(tmp_path / "seer.gguf", 1)


def test_transformers_is_told_its_threads_by_its_environment_and_torch_takes_them(tmp_path: Path):
    settings = TransformersEngine(FOLDER, tmp_path, threads=3)._settings()
    code = "import torch; print(torch.get_num_threads())"
    run = subprocess.run(
        [sys.executable, "-c", code], env={**os.environ, **settings}, capture_output=True, text=True, check=True
    )
    assert run.stdout.strip() == "3"
    assert not {"OMP_NUM_THREADS", "MKL_NUM_THREADS"} & TransformersEngine(FOLDER, tmp_path)._settings().keys()


def test_llama_cpp_is_told_its_threads_for_reading_and_for_writing(tmp_path: Path):
    command = list(LlamaEngine(GGUF, tmp_path, threads=3)._command(tmp_path / "seer.gguf", 1))
    assert command[command.index("--threads") + 1] == "3"
    assert "--threads" not in LlamaEngine(GGUF, tmp_path)._command(tmp_path / "seer.gguf", 1)
    pytest.importorskip("xllamacpp")
    told = params(Namespace(model="m.gguf", port=1, context=512, threads=3, mmproj=""))
    assert (told.cpuparams.n_threads, told.cpuparams_batch.n_threads) == (3, 3)


def test_the_server_is_told_of_that_file():
    pytest.importorskip("xllamacpp")
    told = params(Namespace(model="m.gguf", port=1, context=512, threads=0, mmproj="p.gguf"))
    assert told.mmproj.path == "p.gguf"


@pytest.mark.parametrize(("quantization", "program"), [("", False), ("bnb-4bit", True), ("bnb-8bit", True)])
def test_only_what_bitsandbytes_quantises_is_served_by_the_program_that_mends_it(
    tmp_path: Path, quantization: str, program: bool
):
    command = list(TransformersEngine(replace(FOLDER, quantization=quantization), tmp_path)._command(tmp_path, 1))
    assert ("quantised_child.py" in command[2]) is program
    assert ("transformers.cli.transformers" in command) is not program
    assert ("--quantization" in command) is program
    assert "serve" in command
