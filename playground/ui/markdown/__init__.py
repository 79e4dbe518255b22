"""Renders the Markdown that models write to HTML that can only be read, at once or as it arrives."""

from __future__ import annotations

from playground.ui.markdown.stream import MarkdownStream, render

__all__ = ["MarkdownStream", "render"]
