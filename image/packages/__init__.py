"""Packages of the target system: repositories, catalogues, signatures, installation into a tree."""
