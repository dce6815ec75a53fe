"""The abuse desk: what a complaint is about, whether this network can have done it, and an answer.

It runs at the operator's own computer. Complaints are written by strangers, so each step reads a
bounded part, takes only values that have a form, and keeps nothing but a count.
"""
