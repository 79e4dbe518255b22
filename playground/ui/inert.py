"""Knows how text that a model wrote becomes Markdown that can do nothing but be read. Knows no page.

Gradio's sanitizer strips scripts but keeps forms, images of other sites and elements that look like the page's own. So
what opens a tag is written as an entity, outside code (where it is shown as it is) and formulas (where `<` means less).
"""

from __future__ import annotations

import re

_SPANS = re.compile(
    r"""
    (?P<fence> ^[ \t]* (?P<mark> `{3,} | ~{3,} ) [^\n]* \n .*? (?: ^[ \t]* (?P=mark) [`~]* [ \t]* $ | \Z ) )
    | (?P<code> (?<! `) (?P<ticks> `+ ) (?! `) (?: (?! \n[ \t]*\n ) . )+? (?<! `) (?P=ticks) (?! `) )
    | (?P<math> \$\$ .+? \$\$ | \\\[ .+? \\\] | \\\( .+? \\\) )
    """,
    re.MULTILINE | re.DOTALL | re.VERBOSE,
)
_OPENS_TAG = re.compile(r"<(?=[A-Za-z/!?])")
_OPENS_IMAGE = re.compile(r"!(?=\[)")


def inert(text: str) -> str:
    """The same text as Markdown without HTML elements and without images; code and formulas look as before."""
    shown, end = [], 0
    for span in _SPANS.finditer(text):
        shown.append(_escape(text[end : span.start()]))
        shown.append(span[0].replace("<", r"\lt ") if span["math"] else span[0])
        end = span.end()
    shown.append(_escape(text[end:]))
    return "".join(shown)


def _escape(text: str) -> str:
    return _OPENS_IMAGE.sub("&#33;", _OPENS_TAG.sub("&lt;", text))
