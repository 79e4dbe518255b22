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
TAGS = 400_000
"""Most tags of an answer; what comes after the section that reaches it is plain text. An answer of 100,000 tokens has
40,000, or 260,000 where all of it is code."""
HIGHLIGHTED_CHARS = 20_000
"""Longest code that is coloured; Pygments takes 5 to 15 µs a character, and every third becomes an element."""
HIGHLIGHTED_LINE_CHARS = 500
"""Longest line, and longest run of white space, of code that is coloured: some lexers take quadratic time for these."""
LAID_OUT_LINES = 100
"""Lines of longer code that a browser lays out at a time."""
FORMULA_CHARS = 2_000
"""Longest formula that is converted."""
FORMULA_DEPTH = 60
"""Deepest nesting of elements in a formula; the converter recurses twice or three times for each."""
PIECE_CHARS = 4_000
"""Plain text and long code are cut into pieces of about this length, so that a browser lays out only those in view."""
LIVE_CHARS = 4_000
"""Longest text that is parsed anew at each update while it is written: 10 ms. Few paragraphs are half as long."""
GROWTH = 2
"""What is longer is parsed anew, and code is coloured anew, when it has grown by one part in so many (by half): in all
three times the work of doing it once, however long it gets."""
LIVE_TOKENS = 100
"""Most tokens of a text that is parsed anew at each update: 2 ms."""
TOKENS_PER_CHAR = 10
"""What has more tokens waits for a new character for every so many of them before it is parsed anew."""
PART_CHARS = 1_500
"""About how long the parts are in which long code, lists and tables are shown while they are written."""
