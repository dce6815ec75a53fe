"""The Internet of the tests of the world, with a stand-in in it."""

from tests.qemu.world.conftest import bgpd, box, internet, trusted

__all__ = ["bgpd", "box", "internet", "trusted"]
