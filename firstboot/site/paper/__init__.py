"""Papers: what registries, exchanges and other networks want to have in writing, from a site.

They are made at the desk. Nothing of this runs on the box.
"""
