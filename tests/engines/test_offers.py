"""Servers that are asked which models they offer: rows without a name, as vLLM's, Ollama's and LM Studio's."""

from __future__ import annotations

import json
from dataclasses import replace

import pytest

from playground import catalog
from playground.engines import offers
from playground.engines.client import OpenAIEngine
from playground.errors import CatalogError, EngineError
from playground.types import Delta, Loading, Message, ModelSpec, Sampling
from tests.badserver import DONE, STOP, BadServer, event, sse, text

HEADERS = {"Content-Type": "application/json"}
ANSWER = [sse(), ("send", event(text("Hi.")) + STOP + DONE)]


def listing(*models: str) -> list[tuple[object, ...]]:
    """The answer of GET /v1/models."""
    body = json.dumps({"object": "list", "data": [{"id": model, "object": "model"} for model in models]}).encode()
    return [("status", 200, HEADERS, body)]


def row(server: BadServer) -> ModelSpec:
    return ModelSpec("ollama", "Ollama here", "openai", base_url=f"{server.url}/v1")


def prepared(server: BadServer) -> OpenAIEngine:
    engine = OpenAIEngine(row(server))
    assert list(engine.prepare()) == [Loading("asking which model it offers")]
    return engine


def test_the_only_model_of_a_server_answers_under_its_own_name():
    with BadServer(listing("Qwen/Qwen3.5-9B"), ANSWER) as server:
        engine = prepared(server)
        said = [e.text for e in engine.stream([Message("user", "Hi")], Sampling()) if isinstance(e, Delta)]
        engine.close()
        assert said == ["Hi."]
        assert server.requests[0].line.startswith("GET /v1/models ")
        assert server.requests[1].json["model"] == "Qwen/Qwen3.5-9B"


@pytest.mark.parametrize(
    ("script", "said"),
    [
        (listing(), r"Ollama here answers, but offers no model\. Load one there"),
        ([("status", 200, HEADERS, b'{"data": null}')], r"offers no model"),
        (listing("qwen3:8b", "gemma3"), r"offers 2 models\. Choose one of them: ollama/qwen3:8b, ollama/gemma3\.$"),
        (listing(*"abcdefghij"), r"offers 10 models.*ollama/h and 2 more\.$"),
        ([("status", 200, HEADERS, b"<html>")], r"does not list its models; name one in `source`"),
        ([("status", 200, HEADERS, b'["a"]')], r"does not list its models"),
        ([("status", 404, HEADERS, b"no")], r"answered 404"),
        ([("status", 401, HEADERS, b"no")], r"answered 401.*an API key"),
    ],
)
def test_a_server_without_the_one_model_says_what_to_do(script: list[tuple[object, ...]], said: str):
    with BadServer(script) as server, pytest.raises(EngineError, match=said):
        list(OpenAIEngine(row(server)).prepare())


def test_a_server_that_does_not_run_is_said_with_its_address():
    gone = ModelSpec("vllm", "vLLM", "openai", base_url="http://127.0.0.1:9/v1")
    with pytest.raises(EngineError, match=r"Nothing answers at 127\.0\.0\.1:9 \(vLLM\)"):
        list(OpenAIEngine(gone).prepare())


def test_a_key_goes_with_the_question_and_into_no_sentence():
    with BadServer([("status", 401, HEADERS, b"bad key sk-secret")]) as server:
        spec = replace(row(server), api_key_env="MY_KEY")
        with pytest.raises(EngineError, match="Check the key in MY_KEY") as caught:
            offers.offered(spec, f"{server.url}/v1/chat/completions", "sk-secret")
        assert server.requests[0].headers["authorization"] == "Bearer sk-secret"
        assert "sk-secret" not in str(caught.value)


def test_a_row_that_names_its_model_asks_nothing():
    assert list(OpenAIEngine(ModelSpec("m", "M", "openai", "m", base_url="http://127.0.0.1:9/v1")).prepare()) == []


def test_one_of_a_servers_models_is_a_row_by_its_key():
    rows = catalog.load()
    found = rows.row("ollama/qwen3:8b")
    assert (found.source, found.title, found.template) == ("qwen3:8b", "Ollama at port 11434 · qwen3:8b", False)
    assert not found.reads_images


def test_a_model_that_the_catalog_knows_is_known_at_a_server_too():
    found = catalog.load().row("vllm/qwen/qwen3.5-9b")
    assert (found.key, found.source) == ("vllm/qwen/qwen3.5-9b", "qwen/qwen3.5-9b")
    assert (found.licence, found.reads_images, found.thinks_unasked) == ("Apache-2.0", True, True)
    assert found.sampling.top_p == 0.8
    assert found.base_url == "http://127.0.0.1:8000/v1"


@pytest.mark.parametrize("key", ["qwen3.5-9b-q4/x", "nothing/x", "ollama/"])
def test_a_model_of_a_row_that_is_no_server_is_unknown(key: str):
    with pytest.raises(CatalogError, match="There is no model with the key"):
        catalog.load().row(key)


def test_a_missing_key_of_the_hub_says_where_one_gets_it():
    hosted = OpenAIEngine(catalog.load().row("gpt-oss-120b-hub"))
    with pytest.raises(EngineError, match=r"HF_TOKEN is not set; export it \(make one at https://huggingface\.co/"):
        list(hosted.stream([Message("user", "Hi")], Sampling()))
