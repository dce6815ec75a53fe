"""What the appliance's settings do to its speed: each against what a system without them has."""
