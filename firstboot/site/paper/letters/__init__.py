"""Letters: what others want to have in writing by a person, and what a person has to go through.

Texts with blanks for dates and signatures, from the templates beside this module. The exit notice
in other languages takes its page from that of the box, in the overlay of Tor.
"""
