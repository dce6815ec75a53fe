"""Writes an image to a disk: lists the disks, decides which may be written, writes and verifies."""
