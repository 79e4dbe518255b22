"""Knows how what was compared and voted on leaves the app: as Markdown, JSON, CSV or what other tools read.

`one` is a comparison as it is shown, `markdown` writes it for people; `table` and `comparator` write all votes.
"""
