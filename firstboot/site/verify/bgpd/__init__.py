"""BGP: bgpd.conf read as bgpd reads it; what it announces and accepts, compared with the site."""
