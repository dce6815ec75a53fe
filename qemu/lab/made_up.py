"""Secrets of the lab's own, which are in files and transcripts."""

import base64
import hashlib


def made_up(name: str) -> str:
    """A secret of the lab's for whom it is shared with: 24 characters."""
    digest = hashlib.sha256(f"the lab's, for {name}".encode()).digest()
    return base64.b64encode(digest[:18], altchars=b"xy").decode()
