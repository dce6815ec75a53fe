"""Freezes the wizard into one program for the target system, on a Linux host.

PyInstaller analyses the program with this host's Python. For FreeBSD the target's standard library,
libpython and bootloader replace the host's.
"""
