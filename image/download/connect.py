"""Import the HTTP client only when a server is needed."""

from typing import TYPE_CHECKING

from image.download.timeouts import PATIENCE, Patience

if TYPE_CHECKING:
    from image.download.client import Client


def connect(instead: str, patience: Patience = PATIENCE) -> "Client":
    """Make a client, see `image.download.client.Client`.

    The import stands here to keep the start fast: importing requests takes a quarter of a
    second, and most builds ask no server.
    """
    from image.download.client import Client

    return Client(instead, patience)
