"""Knows the one error of this folder. Does not know what was asked."""


class Unknown(Exception):
    """A fact that is not known, so that no figure can be given. It
    never leaves this folder: `judge` says it as a verdict. `str()` continues "... because"."""
