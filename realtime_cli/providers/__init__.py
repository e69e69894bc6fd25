"""Which servers there are to talk with (``profiles.py``), and how one of them is reached (``endpoint.py``)."""
