"""Whom to peer with and where, and what peers recommend: worked out at the desk.

Nothing of this runs on the box.
"""
