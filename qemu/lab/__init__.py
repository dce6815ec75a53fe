"""A rehearsal: an appliance in the simulated Internet, and what has to hold of it."""
