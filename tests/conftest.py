"""Fixtures that more than one file of tests uses."""

import os
import signal

from hypothesis import HealthCheck, settings

from tests.real_engines import ear, engines
from tests.virtual_devices import sound, virtual_devices

__all__ = ["ear", "engines", "sound", "virtual_devices"]

# Who runs the tests in the background, or under nohup, lets them ignore signals, and the programs under test would too.
signal.signal(signal.SIGINT, signal.default_int_handler)
for name in ("SIGHUP", "SIGQUIT"):
    if hasattr(signal, name):
        signal.signal(getattr(signal, name), signal.SIG_DFL)

# The workers of a parallel run are told a width, which the programs under test would take for their terminal's.
for name in ("COLUMNS", "LINES"):
    os.environ.pop(name, None)

# The same examples in every run, however slow the machine is: a test that fails now and then tells nobody anything.
settings.register_profile(
    "suite", derandomize=True, deadline=None, database=None, suppress_health_check=[HealthCheck.too_slow]
)
settings.load_profile("suite")
