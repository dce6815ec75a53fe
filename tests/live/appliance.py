"""The appliance's daemons on Linux, with the configuration that its site renders.

`for_linux` has every change that a rendered file needs here; all else is what the box runs.
"""
