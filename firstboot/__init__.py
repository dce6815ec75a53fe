"""The wizard and everything that runs on the box; pure Python, so that it can be frozen."""
