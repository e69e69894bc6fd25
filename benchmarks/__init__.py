"""Measurements of the program: figures of one run, each beside its floor. Nothing here passes or fails."""
