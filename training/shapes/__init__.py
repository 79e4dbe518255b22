"""The recipe of `shapes-small` and `shapes-large`, from pen strokes to weights. Knows nothing of the app."""
