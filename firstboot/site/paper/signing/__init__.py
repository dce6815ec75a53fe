"""Zones signed at the desk (DNSSEC, RFC 4033): keys that stay there, and their roll-over."""
