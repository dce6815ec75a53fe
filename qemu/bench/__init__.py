"""Measures what the appliance's settings do to its speed, against a system without them."""
