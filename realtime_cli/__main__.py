"""``python -m realtime_cli`` is the same program as ``realtime-cli``."""

from realtime_cli.cli.main import run

if __name__ == "__main__":
    run()
