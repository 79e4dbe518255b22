"""Knows how stored votes become standings on the page and the command line. Counts nothing itself: `standings` does."""
