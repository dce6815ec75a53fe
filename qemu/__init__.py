"""Virtual machines: a machine with its consoles, the simulated Internet, and the lab."""
