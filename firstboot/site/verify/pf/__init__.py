"""The packet filter: pf.conf read as pf reads it, and what it lets pass compared with the site."""
