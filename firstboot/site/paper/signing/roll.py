"""The steps of a roll-over, as a person types them."""

from enum import Enum


class Roll(Enum):
    START = "start"
    SWITCH = "switch"
    FINISH = "finish"
