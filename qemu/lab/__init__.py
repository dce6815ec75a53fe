"""The lab: an appliance in the simulated Internet, the checks that it has to pass, and faults."""
