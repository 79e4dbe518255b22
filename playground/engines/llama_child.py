"""Knows how to run llama.cpp's server from the `xllamacpp` wheel. A program of its own: it is ended by its process.

python -P llama_child.py --model FILE --port N [--threads N] [--context N] [--mmproj FILE]
"""

from __future__ import annotations

import argparse
import threading
from typing import Any


def params(args: argparse.Namespace) -> Any:
    """The server's parameters. No prefix cache, because `transformers serve` has none and a prompt asked twice would
    look ten times faster on one side only."""
    import xllamacpp

    params = xllamacpp.CommonParams()
    params.model.path = args.model
    params.mmproj.path = args.mmproj
    params.hostnames = ["127.0.0.1"]
    params.port = args.port
    params.n_ctx = args.context
    params.n_parallel = 1
    params.cache_prompt = False
    params.cache_ram_mib = 0
    if args.threads:
        params.cpuparams.n_threads = args.threads
        params.cpuparams_batch.n_threads = args.threads
    return params


def main() -> None:
    """Serve until the process is ended."""
    import xllamacpp

    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--model", required=True)
    parser.add_argument("--port", type=int, required=True)
    parser.add_argument("--threads", type=int, default=0)
    parser.add_argument("--context", type=int, default=0)
    parser.add_argument("--mmproj", default="")
    server = xllamacpp.Server(params(parser.parse_args()))
    print(f"listening at {server.listening_address}", flush=True)
    threading.Event().wait()


if __name__ == "__main__":
    main()
