"""The fixtures of the simulated Internet's tests, with a stand-in for the appliance."""

from tests.qemu.world.conftest import bgpd, box, internet, trusted

__all__ = ["bgpd", "box", "internet", "trusted"]
