"""A running box: what is on it, and what changes it."""
