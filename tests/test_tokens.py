"""What a checkpoint's files say of its chat template."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from playground.tokens import has_template, template

SEVERAL = [{"name": "rag", "template": "R"}, {"name": "default", "template": "D"}]


@pytest.mark.parametrize(
    ("file", "text", "found"),
    [
        ("chat_template.jinja", "J", "J"),
        ("tokenizer_config.json", json.dumps({"chat_template": "C"}), "C"),
        ("tokenizer_config.json", json.dumps({"chat_template": SEVERAL}), "D"),
        ("chat_template.json", json.dumps({"chat_template": "P"}), "P"),
    ],
    ids=["a file", "the tokenizer's settings", "several", "the processor's"],
)
def test_a_template_is_found_wherever_its_makers_put_it(tmp_path: Path, file: str, text: str, found: str):
    assert not has_template(tmp_path)
    (tmp_path / file).write_text(text)
    settings = json.loads(text) if file == "tokenizer_config.json" else {}
    assert template(tmp_path, settings) == found
    assert has_template(tmp_path)


def test_mistrals_own_tokenizer_needs_none(tmp_path: Path):
    (tmp_path / "tekken.json").write_text("{}")
    assert has_template(tmp_path)
