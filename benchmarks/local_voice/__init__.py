"""The embedded voice server: how long it lets one wait, what it hears, what it carries, what it takes."""
