"""Putting an image onto a stick or a disk: which ones there are, which may be written, how."""
