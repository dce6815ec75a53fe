"""The RPKI of the simulated Internet: a trust anchor, authorities below it, what they sign, and the
servers that it is fetched from."""
