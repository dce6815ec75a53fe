"""What a new box says on its consoles, before anything that takes long to load is needed."""

INTRO = """\
exitisp: this box becomes an Internet provider for Tor exit relays.

You are asked who you are, for your AS number and prefixes, which network card
leads where, which networks you peer with, about the relays, about who may log
in, and for a password. It takes a quarter of an hour. Have in front of you:

  - the letter of your registry: AS number and prefixes
  - those of upstreams and exchanges: addresses, VLANs, their AS numbers
  - which cable goes where, or somebody who can unplug one
  - SSH public keys of two administrators, pasted or in files on the stick

At every question,

  ?     explains it, with an example     list  shows what was said so far
  back  goes to the question before      quit  leaves, and so does Control-C

and what is in [brackets] is what Enter answers. Every answer is kept at once:
if the power goes, you are asked again from the question that was open."""

"""For a new box, before it is known whether it is new to the person."""
