"""Lists the marks by which models part thinking from answer, and the tokens that end a message. Reads no text.

A mark that is no word of any language counts with every model. One that could be text ("analysis", "thought") counts
only with the family that writes it. Sources: chat templates of the families, and the reasoning parsers of vLLM and
SGLang.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from functools import lru_cache


@dataclass(frozen=True, slots=True)
class Marker:
    """How a thought begins and ends, as regular expressions.

    `words` are the literal forms of a marker that is made of ordinary letters. It counts only where the name of the
    model has `family` in it (a regular expression), and `open` only where the text begins with it. `sure`: text that
    opens so is a thought although its end never comes.
    """

    open: str
    close: str
    family: str = ""
    words: tuple[str, ...] = ()
    sure: bool = True


_TAG = r"(?:[a-z]{1,16}[:_])?(?:think|thinking|thought|antthinking|reasoning)"

MARKERS = (
    Marker(rf"(?i:<{_TAG}>)", rf"(?i:</{_TAG}>)"),  # most; with a namespace Seed-OSS, MiniMax-M3, LongCat
    Marker(r"\[THINK\]", r"\[/THINK\]"),  # Magistral, Ministral
    Marker("◁think▷", "◁/think▷"),  # Kimi-VL
    Marker(r"<\|channel>", r"<channel\|>"),  # Gemma 4
    Marker("<unused94>", "<unused95>"),  # MedGemma
    Marker(r"<\|START_THINKING\|>", r"<\|END_THINKING\|>"),  # Command A
    Marker(r"<\|begin_of_thought\|>", r"<\|end_of_thought\|>"),  # OpenThinker, Sky-T1
    Marker(r"<\|inner_prefix\|>", r"<\|inner_suffix\|>"),  # Apertus
    Marker(r"<\|think(?:ing)?\|>", r"<\|/think(?:ing)?\|>"),  # Solar
    Marker(r"analysis<\|message\|>", r"(?!)", words=("analysis<|message|>",)),
    Marker(
        r"analysis(?=[^\s.,;:!?'’<])",
        "assistantfinal",
        family="gpt-?oss",
        words=("analysis", "assistantfinal"),
    ),
    Marker(r"thought\n", r"(?!)", family="gemma", words=("thought\n",), sure=False),
    Marker(
        r"Here(?: is|'s) my thought process:",
        r"Here(?: is|'s) my response:",
        family="granite",
        words=(
            "Here is my thought process:",
            "Here's my thought process:",
            "Here is my response:",
            "Here's my response:",
        ),
    ),
    Marker(
        r"Here are my reasoning steps:",
        r"\[BEGIN FINAL RESPONSE\]",
        family="apriel",
        words=("Here are my reasoning steps:",),
    ),
)
"""The first one that fits counts."""

STOP = (
    r"(?i:<[|｜](?!end_header_id)[a-z_▁]*(?:end|eos|eot|eom|stop|return|call)[a-z_▁]*[|｜]>)"
    r"|<\|(?:im_start|user|observation)\|>|</s>|<eos>|<EOT>|\[EOS\]|\[e~\[|<end_of_turn>|<turn\|>"
    r"|\[END FINAL RESPONSE\]"
)
"""Tokens that end a message and that a server should have kept to itself."""

HEADER, HEADER_END = r"<\|start\|>|<\|channel\|>", "<|message|>"
"""What a message of gpt-oss begins with: <|start|>assistant<|channel|>analysis<|message|>."""

WRAP = r"<\|START_RESPONSE\|>|<\|START_TEXT\|>|<\|begin_of_solution\|>"
"""What some models write before the answer itself."""

WRAPPED = (("<answer>", "</answer>"), ("<response>", "</response>"))
"""Tags around the answer, behind a thought: Hunyuan, ERNIE."""

LABEL, LABELLED = "thought\n", ("<|channel>", "<unused94>")
"""A word that the families of these marks write behind them."""

LEADS = (
    "<|im_start|>assistant\n",
    "<|start_header_id|>assistant<|end_header_id|>",
    "<start_of_turn>model\n",
    "<|turn>model\n",
    "<|assistant|>",
    "<｜Assistant｜>",
    "<|begin_of_text|>",
    "final<|message|>",
)
"""The head of a message, which a server may leave at the beginning of its text."""

TEMPLATE_OPENS = re.compile(r"qwen-?3|qwq|deepseek-r1|minimax-m|olmo-3.*think|kimi-k2-thinking|step-?3|magistral", re.I)
"""Families whose chat templates write the opening mark, so that the text of the model begins inside a thought."""

LONGEST = 40
"""Characters of the longest mark that is no word."""

_TAIL = re.compile(rf"(?:<[^<>\s]{{0,{LONGEST}}}|\[[/A-Z~e \[]{{0,24}}|◁[^◁▷\s]{{0,8}})\Z")
"""The end of a text that may be the beginning of a mark."""


@dataclass(frozen=True, slots=True)
class Patterns:
    """The marks that count with one model, ready to be looked for."""

    mark: re.Pattern[str]
    opening: re.Pattern[str]
    unsure: re.Pattern[str]
    label: re.Pattern[str]
    openings: tuple[str, ...]
    inner: tuple[str, ...]

    def may_open(self, text: str) -> bool:
        """The whole text may be the beginning of a mark that opens a thought, or of a head."""
        return bool(_TAIL.fullmatch(text)) or any(
            len(text) <= len(word) and word.startswith(text) for word in self.openings
        )

    def tail(self, text: str) -> int:
        """How many characters at the end of the text may be the beginning of a mark."""
        found = _TAIL.search(text, max(0, len(text) - LONGEST - 1))
        held = len(text) - found.start() if found else 0
        return max(
            [
                held,
                *(n for word in self.inner for n in range(1, min(len(word), len(text)) + 1) if text.endswith(word[:n])),
            ]
        )


@lru_cache(maxsize=64)
def patterns(model: str) -> Patterns:
    """The marks that count with the model of that name."""
    rows = [row for row in MARKERS if not row.family or re.search(row.family, model, re.IGNORECASE)]
    anywhere = [row for row in rows if not row.words]
    words = [word for row in rows for word in row.words]
    inner = tuple(word for row in rows for word in row.words if row.family and re.fullmatch(row.close, word))
    closes = "|".join(row.close for row in rows)
    opens = "|".join(row.open for row in anywhere)
    unwrap = "|".join(end for _, end in WRAPPED)
    return Patterns(
        mark=re.compile(
            rf"(?P<close>{closes})|(?P<open>{opens})|(?P<head>{HEADER})|(?P<wrap>{WRAP})|(?P<unwrap>{unwrap})|(?P<stop>{STOP})"
        ),
        opening=re.compile("|".join(row.open for row in rows)),
        unsure=re.compile("|".join(row.open for row in rows if not row.sure) or "(?!)"),
        label=re.compile(LABEL),
        openings=(*words, *LEADS),
        inner=inner,
    )
