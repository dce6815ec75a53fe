"""Assembling: base sets, packages and overlays go in, a flashable disk image comes out."""
