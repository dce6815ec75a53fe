"""What a download raises."""

from firstboot.core.refusal import Refusal


class Unreachable(Refusal):
    """No server answered, so nothing is known of what it has."""
