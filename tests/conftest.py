"""What all tests share: an option, and that none depends on the clock, on chance or on who began
them."""

import os
import signal

import pytest
from hypothesis import HealthCheck, settings

FUZZ_SECONDS = float(os.environ.get("EXITISP_FUZZ", "0"))
"""How long each target of tests/fuzz is tried with inputs that no run had before."""

settings.register_profile(
    "any-machine",
    deadline=None,
    suppress_health_check=[HealthCheck.too_slow],
    derandomize=not FUZZ_SECONDS,
)
settings.load_profile("any-machine")

signal.signal(signal.SIGINT, signal.default_int_handler)
"""A shell's background job ignores Ctrl-C, and so would all that it starts: but some are tested by
being interrupted."""


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption(
        "--renew-golden",
        action="store_true",
        help="write tests/golden from what the templates render now, instead of comparing",
    )
