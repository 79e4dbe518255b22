"""The menus that choose models, without a browser: the order of rows, and what is done with what a server offers."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from playground import parts
from playground.settings import Settings
from playground.ui import pairing
from tests.badserver import BadServer

OFFLINE = {"HF_HUB_OFFLINE": "1"}


def house(tmp_path: Path, rows: str = "", **environ: str) -> parts.Parts:
    models = None
    if rows:
        models = tmp_path / "models.toml"
        models.write_text(rows)
    return parts.assemble(Settings(models=models, cache=tmp_path, environ={**OFFLINE, **environ}))


def order(found: parts.Parts, *keys: str) -> list[str]:
    return [key for _, key in pairing.choices(found) if key in keys]


def test_what_can_answer_at_once_stands_before_what_must_be_fetched(tmp_path: Path):
    keys = ("smollm2-135m", "ollama", "qwen3.5-9b-bf16", "gpt-oss-120b-hub")
    assert order(house(tmp_path), *keys) == ["smollm2-135m", "ollama", "qwen3.5-9b-bf16", "gpt-oss-120b-hub"]
    with_key = order(house(tmp_path, HF_TOKEN="hf_x"), *keys)
    assert with_key.index("gpt-oss-120b-hub") < with_key.index("qwen3.5-9b-bf16")


def test_every_row_is_in_the_list_once_and_own_rows_are_first(tmp_path: Path):
    found = house(tmp_path, '[[model]]\nlike = "gpt-oss-20b-hub"\nkey = "mine"\ntitle = "Mine"\n')
    listed = [key for _, key in pairing.choices(found)]
    assert listed[0] == "mine"
    assert sorted(listed) == sorted(row.key for row in found.catalog)


@pytest.mark.parametrize(
    ("models", "value", "said"),
    [
        (["a"], "here/a", ""),
        (["a", "b"], None, "Here offers 2 models. Choose one of them"),
        ([], None, "Here answers, but offers no model."),
    ],
)
def test_a_row_without_a_model_becomes_what_its_server_offers(
    tmp_path: Path, models: list[str], value: str | None, said: str
):
    listed = json.dumps({"data": [{"id": model} for model in models]}).encode()
    with BadServer([("status", 200, {"Content-Type": "application/json"}, listed)]) as server:
        row = f'[[model]]\nkey = "here"\ntitle = "Here"\nengine = "openai"\nbase_url = "{server.url}/v1"\n'
        update, sentence = pairing.at_server(house(tmp_path, row), "here")
    assert update.get("value") == value
    assert [key for _, key in update.get("choices", [])][: len(models)] == [f"here/{model}" for model in models]
    assert sentence.startswith(said) if said else sentence == ""


def test_a_row_that_names_its_model_asks_no_server(tmp_path: Path):
    assert pairing.at_server(house(tmp_path), "smollm2-135m") == ({}, "")
    assert pairing.at_server(house(tmp_path), "ollama/qwen3:8b") == ({}, "")


def test_a_server_that_does_not_run_is_said(tmp_path: Path):
    row = '[[model]]\nkey = "here"\ntitle = "Here"\nengine = "openai"\nbase_url = "http://127.0.0.1:9/v1"\n'
    update, sentence = pairing.at_server(house(tmp_path, row), "here")
    assert update == {}
    assert sentence.startswith("Nothing answers at 127.0.0.1:9 (Here)")
