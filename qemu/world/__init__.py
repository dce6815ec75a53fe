"""The simulated Internet: one network namespace per party, real daemons, every wire captured."""
