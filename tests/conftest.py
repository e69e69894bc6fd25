"""Fixtures that more than one file of tests uses."""

import signal

from tests.virtual_devices import sound, virtual_devices

__all__ = ["sound", "virtual_devices"]

# A shell that runs the tests in the background lets them ignore Ctrl-C, and the programs under test would inherit that.
signal.signal(signal.SIGINT, signal.default_int_handler)
