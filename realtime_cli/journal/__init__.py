"""Saved conversations: a file of JSON lines each, which is the truth, and an index that can be made from them anew."""
