"""Upgrades: two slots, installing a system, switching to it, and whether it is healthy."""
