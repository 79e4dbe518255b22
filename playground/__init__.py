"""Compare two language models side by side: fair timing, memory by model, votes in a file you own."""

__version__ = "0.1.0"
