"""The last wall: lets through only the elements, attributes, classes and link schemes of a list."""

from __future__ import annotations

import nh3
from pygments.token import STANDARD_TYPES

_MATH: dict[str, set[str]] = {
    "math": {"display"},
    "mrow": set(), "mi": {"mathvariant"}, "mn": {"mathvariant"}, "mtext": {"mathvariant"}, "ms": set(),
    "mo": {"mathvariant", "stretchy", "fence", "form", "separator", "largeop", "movablelimits", "minsize", "maxsize",
           "lspace", "rspace", "accent", "symmetric"},
    "mspace": {"width", "height", "depth"}, "mfrac": {"linethickness"}, "msqrt": set(), "mroot": set(),
    "msub": set(), "msup": set(), "msubsup": set(), "munder": {"accentunder"}, "mover": {"accent"},
    "munderover": {"accent", "accentunder"}, "mmultiscripts": set(), "mphantom": set(),
    "mpadded": {"width", "height", "depth", "lspace", "voffset"}, "mstyle": {"displaystyle", "scriptlevel"},
    "menclose": {"notation"}, "mtable": {"columnalign", "rowlines", "columnlines"}, "mtr": set(),
    "mtd": {"columnalign"},
}  # fmt: skip
ALLOWED: dict[str, set[str]] = {
    **{tag: set() for tag in ("br", "hr", "em", "strong", "s", "thead", "tbody", "tr")},
    **{tag: {"dir"} for tag in ("h1", "h2", "h3", "h4", "h5", "h6", "blockquote", "table")},
    "p": {"dir", "class"}, "pre": {"dir", "class"},
    "a": {"href", "title"}, "code": {"class"}, "span": {"class"}, "div": {"class"}, "button": {"class", "aria-label"},
    "input": {"class", "checked", "disabled"}, "ul": {"dir", "class"}, "ol": {"dir", "class", "start"},
    "li": {"dir", "class"}, "th": {"dir", "class"}, "td": {"dir", "class"},
    **_MATH,
}  # fmt: skip
"""Every element that can come out, with the attributes that it may have besides those of `FIXED`."""
FIXED: dict[str, dict[str, str]] = {
    "a": {"target": "_blank"},
    "button": {"type": "button"},
    "input": {"type": "checkbox"},
}
"""Attributes that these elements have always, with these values: one each, since the order of two would be chance."""
CLASSES: dict[str, set[str]] = {
    "span": {name for name in STANDARD_TYPES.values() if name} | {"language", "image", "lines", "formula"},
    "div": {"code", "code-head", "part", "first", "last", "table", "formula"},
    "p": {"why"}, "pre": {"plain"}, "code": {"tex"}, "button": {"copy-code"},
    "input": {"task-list-item-checkbox"},
    "ul": {"contains-task-list"}, "ol": {"contains-task-list"}, "li": {"task-list-item"},
    "th": {"left", "center", "right"}, "td": {"left", "center", "right"},
}  # fmt: skip
_CLEANER = nh3.Cleaner(
    tags=set(ALLOWED),
    attributes={tag: names - {"class"} for tag, names in ALLOWED.items()},
    allowed_classes=CLASSES,
    set_tag_attribute_values=FIXED,
    url_schemes={"http", "https", "mailto"},
    url_relative="deny",
    link_rel="noopener noreferrer nofollow",
)


def sanitize(html: str) -> str:
    """The same HTML without what is not on the list."""
    return _CLEANER.clean(html)
