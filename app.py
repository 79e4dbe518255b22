"""Settings, parts, page, launch: what a Space runs, and `python app.py`."""

from __future__ import annotations

import signal
import sys
import threading
from typing import NoReturn

from playground import parts, settings
from playground.errors import PlaygroundError
from playground.votes import VoteBook


def leave(*_: object) -> NoReturn:
    """SIGTERM ends the app as Ctrl-C does, so that every model process is ended too."""
    raise SystemExit(0)


def heal(book: VoteBook) -> None:
    """Mend what an earlier run left torn, and say what was done. A file that cannot be mended is told now, not only at
    the first vote; comparing goes on."""
    try:
        notices = book.mend()
    except PlaygroundError as error:
        notices = [str(error)]
    for notice in notices:
        print(f"app.py: {notice}", file=sys.stderr, flush=True)


def main() -> None:
    """Serve the page until the app is ended. Exits with 2 and a sentence when it was told something wrong."""
    signal.signal(signal.SIGTERM, leave)
    try:
        house = parts.assemble(settings.read())
    except PlaygroundError as error:
        print(f"app.py: {error}", file=sys.stderr)
        raise SystemExit(2) from None
    from playground.ui import page  # after the flags: --help should not wait for Gradio

    # beside the start of the page: to migrate a long file takes a while, and votes wait for it
    threading.Thread(target=heal, args=(house.book,), daemon=True).start()
    warming = house.pool.warm(*house.to_warm())
    if house.settings.zerogpu:
        warming.join()  # a GPU is lent to what is loaded before the launch
    try:
        page.serve(page.build(house), house)
    finally:
        house.close()


if __name__ == "__main__":
    main()
