"""Settings, parts, page, launch: what a Space runs, and `python app.py`."""

from __future__ import annotations

import signal
import sys
from typing import NoReturn

from playground import parts, settings
from playground.errors import PlaygroundError


def leave(*_: object) -> NoReturn:
    """SIGTERM ends the app as Ctrl-C does, so that every model process is ended too."""
    raise SystemExit(0)


def main() -> None:
    """Serve the page until the app is ended. Exits with 2 and a sentence when it was told something wrong."""
    signal.signal(signal.SIGTERM, leave)
    try:
        house = parts.assemble(settings.read())
    except PlaygroundError as error:
        print(f"app.py: {error}", file=sys.stderr)
        raise SystemExit(2) from None
    from playground.ui import page  # after the flags: --help should not wait for Gradio

    house.book.mend_beside()
    warming = house.warm()
    if house.settings.zerogpu:
        warming.join()  # a GPU is lent to what is loaded before the launch
    try:
        page.serve(page.build(house), house)
    finally:
        house.close()


if __name__ == "__main__":
    main()
