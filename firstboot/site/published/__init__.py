"""What others have published about a network, read from files: one module a format.

Each reader is bounded, and tells a file that is absent, empty or damaged by a Refusal of its own.
Nothing of this runs on the box.
"""
