"""The simulated Internet: a network namespace a party, real daemons, every wire captured."""
