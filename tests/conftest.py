"""Fixtures that more than one file of tests uses."""

from tests.virtual_devices import sound, virtual_devices

__all__ = ["sound", "virtual_devices"]
