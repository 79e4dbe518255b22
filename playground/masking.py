"""Masks keys, tokens and passwords in text that others wrote, ours and whatever is shaped like one. Does no I/O."""

from __future__ import annotations

import json
import logging
import re
from collections.abc import Iterable
from functools import lru_cache
from urllib.parse import quote

MASK = "[key]"
SHORTEST = 6
"""A shorter secret would be found in words that have nothing to do with it."""
_HINT = 4
_BEGINNING = 8
"""So many characters of a secret tell it where a server quotes only its beginning."""

_SHAPES = re.compile(
    r"""
      (?<![A-Za-z0-9])(?:
          sk-(?:[\w*.…-]*[0-9A-Z*…][\w*.…-]*|[\w-]{20,}|\.{3}[\w-]*)    # OpenAI, Anthropic, DeepSeek, OpenRouter
        | (?:sk|pk|rk)_(?:live|test)_\w{8,}
        | hf_(?=\w*[0-9A-Z])[A-Za-z0-9]{8,}
        | (?:gsk|xai|csk|pplx|r8|fw|tgp|sgp|dop)[-_](?=\w*\d)\w{16,} | nvapi-[\w-]{16,} | ms-[0-9a-f-]{30,}
        | (?:gh[pousr]|github_pat|glpat|xox[a-z]|npm|pypi)[-_][\w-]{12,}
        | AIza[\w-]{16,} | ya29\.[\w.-]{10,} | (?:AKIA|ASIA)[A-Z0-9]{12,}
        | eyJ[\w-]{8,}\.[\w-]{4,}(?:\.[\w-]*)?                          # a JSON web token
      )
    """,
    re.VERBOSE,
)
_NAMED = re.compile(
    r"""
    (?P<name>\b(?:api[-_ ]?key|apikey|access[-_ ]?token|auth[-_ ]?token|token|secret|password|passwd|bearer|basic
        |authorization|x-api-key|subscription[-_ ]?key|credentials?)\b
        (?:["'\]]?\s*(?:provided|given|is|was|of|[:=])?\s*)(?::\s*)?(?:bearer\s+|basic\s+)?["'`]?)
    (?P<value>(?=[^\s"'`,;)]*[0-9*])[A-Za-z0-9_\-./+=*~]{8,})
    """,
    re.VERBOSE | re.IGNORECASE,
)
_IN_URL = re.compile(r"(?P<name>[?&](?:[\w-]*(?:key|token|secret|password|sig|signature))=)[^\s&\"'#]+", re.IGNORECASE)
_USER = re.compile(r"(?P<name>\w://)[^\s/@\"']+@")


def mask(text: str, secrets: Iterable[str | None] = ()) -> str:
    """The text with each of these secrets, and with what is shaped like one, replaced by "[key]"."""
    for secret in secrets:
        if secret and (pattern := _pattern(secret)):
            text = pattern.sub(MASK, text)
    text = _USER.sub(rf"\g<name>{MASK}@", text)
    text = _IN_URL.sub(rf"\g<name>{MASK}", text)
    text = _SHAPES.sub(MASK, text)
    return _NAMED.sub(rf"\g<name>{MASK}", text)


def mask_logs(secrets: Iterable[str | None] = ()) -> None:
    """Mask what goes to logs from here on: where this process writes them to now, and where Python does by itself."""
    known = tuple(secret for secret in secrets if secret)
    for handler in (logging.lastResort, *logging.getLogger().handlers):
        if handler is not None:
            inner = handler.formatter
            handler.setFormatter(_Masked(inner.inner if isinstance(inner, _Masked) else inner, known))


class _Masked(logging.Formatter):
    """Writes a record as another formatter does, tracebacks included, and masks it."""

    def __init__(self, inner: logging.Formatter | None, secrets: tuple[str, ...]) -> None:
        super().__init__()
        self.inner, self._secrets = inner, secrets

    def format(self, record: logging.LogRecord) -> str:
        """The line, masked."""
        return mask(self.inner.format(record) if self.inner else super().format(record), self._secrets)


@lru_cache(maxsize=64)
def _pattern(secret: str) -> re.Pattern[str] | None:
    """The secret as it is, as an address or JSON holds it, and its beginning where the rest is left out."""
    secret = secret.strip()
    if len(secret) < SHORTEST:
        return None
    forms = {secret, quote(secret, safe=""), json.dumps(secret)[1:-1]}
    found = [re.escape(form) for form in sorted(forms, key=len, reverse=True)]
    if len(secret) >= 2 * _BEGINNING:
        found.append(re.escape(secret[:_BEGINNING]) + r"[^\s\"'`,;)]*")
    return re.compile("|".join(found))


class KeyFilter:
    """Masks one secret in text that comes in pieces, however it is split. Without a secret it changes nothing."""

    def __init__(self, secret: str | None) -> None:
        secret = (secret or "").strip()
        self._secret = secret if len(secret) >= SHORTEST else ""
        self._shown = self._held = ""

    def feed(self, text: str) -> str:
        """What is certain by now. Only what must be the beginning of the secret is held back: fewer than `_HINT`
        characters of it end many a word, and give nothing away."""
        if not self._secret:
            return text
        shown, whole, found = len(self._shown), self._shown + self._held + text, []
        while (at := whole.find(self._secret)) >= 0:
            found += [whole[shown:at], MASK]
            whole, shown = whole[at + len(self._secret) :], 0
        most = min(len(self._secret) - 1, len(whole))
        held = next((n for n in range(most, _HINT - 1, -1) if whole.endswith(self._secret[:n])), 0)
        end = max(len(whole) - held, shown)
        found.append(whole[shown:end])
        self._shown, self._held = whole[max(0, end - _HINT + 1) : end], whole[end:]
        return "".join(found)

    def end(self) -> str:
        """What was held back, when no more text comes."""
        held, self._held = self._held, ""
        return held
