"""Knows how many tokens a conversation has, by the tokenizer of a checkpoint on disk. Needs no torch.

As in transformers' `apply_chat_template`: the checkpoint's own Jinja template in a sandbox, then its tokenizer.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from datetime import datetime
from pathlib import Path
from typing import Any

from playground.types import Message

OVERHEAD_TOKENS = 8
"""Counted for each message where a template cannot be rendered here: role, markers and line ends."""


class Counter:
    """The tokenizer of one checkpoint folder. Raises FileNotFoundError where it has none."""

    def __init__(self, folder: Path) -> None:
        from tokenizers import Tokenizer  # late: costs 0.1 s that a page without local models need not pay

        file = folder / "tokenizer.json"
        if not file.is_file():
            raise FileNotFoundError(file)
        self._tokenizer = Tokenizer.from_file(str(file))
        self._config = _json(folder / "tokenizer_config.json")
        self._template = template(folder, self._config)

    def count(self, messages: Sequence[Message]) -> int:
        """Tokens of the prompt as the model reads it; pictures are not counted."""
        if not self._template:
            return sum(len(self._tokenizer.encode(_clean(message.text)).ids) for message in messages)
        text = self._rendered(messages)
        if text is not None:
            return self.tokens(text)
        return sum(self.tokens(message.text) + OVERHEAD_TOKENS for message in messages)

    def tokens(self, text: str) -> int:
        """Tokens of a text by itself, without any that stand for a role or an end."""
        return len(self._tokenizer.encode(_clean(text), add_special_tokens=False).ids)

    def _rendered(self, messages: Sequence[Message]) -> str | None:
        """The prompt as one text, or None without a template that works here."""
        from jinja2 import TemplateError

        said = [{"role": message.role, "content": message.text} for message in messages]
        tokens = {name: _text(value) for name, value in self._config.items() if name.endswith("_token")}
        try:
            made = _sandbox().from_string(self._template)
            return str(made.render(messages=said, add_generation_prompt=True, **tokens))
        except (TemplateError, TypeError, ValueError):  # a template may want lists of parts where we have text
            return None


def has_template(folder: Path) -> bool:
    """It can be given a conversation: by a template, or by Mistral's own tokenizer, which needs none."""
    if template(folder, _json(folder / "tokenizer_config.json")) or (folder / "tekken.json").is_file():
        return True
    return any(folder.glob("additional_chat_templates/*.jinja"))


def template(folder: Path, config: dict[str, Any]) -> str:
    """The chat template, in a file of its own or in the tokenizer's settings; "" without one."""
    file = folder / "chat_template.jinja"
    if file.is_file():
        return file.read_text(encoding="utf-8")
    found = config.get("chat_template") or _json(folder / "chat_template.json").get("chat_template")
    if isinstance(found, list):  # several, by name
        found = {each.get("name"): each.get("template") for each in found if isinstance(each, dict)}.get("default")
    return found if isinstance(found, str) else ""


def _sandbox() -> Any:
    from jinja2 import TemplateError
    from jinja2.sandbox import ImmutableSandboxedEnvironment

    def refuse(message: str) -> None:
        raise TemplateError(message)

    environment = ImmutableSandboxedEnvironment(
        trim_blocks=True, lstrip_blocks=True, extensions=["jinja2.ext.loopcontrols"]
    )
    environment.globals |= {"raise_exception": refuse, "strftime_now": lambda form: datetime.now().strftime(form)}
    return environment


def _clean(text: str) -> str:
    return text.encode("utf-8", "replace").decode()  # lone surrogates have no tokens


def _text(value: Any) -> str:
    return str(value.get("content", "")) if isinstance(value, dict) else str(value or "")


def _json(path: Path) -> dict[str, Any]:
    try:
        value = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return {}
    return value if isinstance(value, dict) else {}
