"""Virtual machines: one machine and its consoles."""
