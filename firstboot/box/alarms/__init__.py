"""Tells somebody outside of the box when something is wrong with it."""
