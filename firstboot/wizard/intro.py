"""What a new box says on its consoles. It imports nothing, so that a slow box greets at once."""

INTRO = """\
exitisp: this box becomes an Internet provider for Tor exit relays.

It asks who you are, for your AS number and prefixes, which network card leads
where, who your peers are, about the relays, who may log in, and for a
password. This takes a quarter of an hour. Have these at hand:

  - the letter from your registry: AS number and prefixes; or your provider's:
    the addresses of this machine, and its router
  - those from upstreams and exchanges: addresses, VLANs, their AS numbers
  - which cable goes where, or somebody who can unplug one
  - SSH public keys of two administrators, to paste or in files on the stick

At every question,

  ?     explains it, with an example     list  shows the answers so far
  back  goes to the question before      quit  leaves, and so does Control-C

and Enter gives the answer in [brackets]. A line that begins with !! says that
an answer is not taken. Every answer that is taken is kept at once: after a
power cut, the questions go on where they were."""
"""For a new box. All consoles show it before anybody has answered."""
