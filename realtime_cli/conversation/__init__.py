"""The conversation, decided without I/O: facts go in, effects come out. Start with ``conversation.py``."""
