"""Names how much is rendered as Markdown; what goes beyond is shown as plain text, whole and with a word about it.

Each limit is far above what models write and well below what would hold up the interpreter or the browser for long.
"""

from __future__ import annotations

SECTION_CHARS = 64_000
"""Longest section (a stretch of text that is parsed at once). Parsing takes about 3 µs a character."""
LIST_CHARS = 16_000
"""A longer list is cut before its next item and goes on as a second list, so that it never meets `SECTION_CHARS`."""
MARKS = 500
"""Most characters that could be markup in one paragraph, heading or cell. Up to here the parser takes 50 µs for each at
worst (nested images); beyond, nested brackets begin to cost more than their number. A dense real paragraph has 60."""
DEPTH = 18
"""Deepest nesting of lists and quotes, where a list counts twice (list and item). The parser drops all below 20."""
INLINE_DEPTH = 24
"""Deepest nesting of emphasis and links within a paragraph."""
CELLS = 10_000
"""Most cells of one table; a browser lays those out in about 0.1 s."""
HIGHLIGHTED_CHARS = 20_000
"""Longest code that is coloured; Pygments takes 4 µs a character, and a DOM element for every third."""
FORMULA_CHARS = 2_000
"""Longest formula that is converted."""
FORMULA_DEPTH = 60
"""Deepest nesting of elements in a formula; the converter recurses twice or three times for each."""
PIECE_CHARS = 4_000
"""Plain text and long code are cut into pieces of about this length, so that a browser lays out only those in view."""
