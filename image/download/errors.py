"""What a download raises."""

from firstboot.core.refusal import Refusal


class Unreachable(Refusal):
    """No server answered, so it is unknown what the server has."""
