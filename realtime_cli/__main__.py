"""The program's entry: ``realtime-cli`` and ``python -m realtime_cli`` are the same."""

from __future__ import annotations

import gc


def run() -> None:
    """Run the program; ends in SystemExit."""
    # Importing makes thousands of objects that all stay: looking for garbage among them takes a fifth of the start.
    # The session turns the collector on again.
    gc.disable()
    from realtime_cli.cli.main import main

    main()


if __name__ == "__main__":
    run()
