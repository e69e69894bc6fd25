"""The engines of the local voice server. Importing this package imports none of them."""
