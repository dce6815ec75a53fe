"""What the field knows of a good site, one concern a module.

Each module has `check(site)`, which yields a `Finding` for everything that it does not like. The
rules are pure, look at nothing but the site, and do not stop at the first.
"""
