"""What all tests share: one option."""

import pytest


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption(
        "--renew-golden",
        action="store_true",
        help="write tests/golden from what the templates render now, instead of comparing",
    )
