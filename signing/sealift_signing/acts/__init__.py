"""The closed list of what people sign, each act computed from a verified base and its own name.

An act is a pure function: from an organisation that was verified from its root, from what the
person names and from the draft's date it computes the exact bytes that are signed, and the words
that say them. The hub drafts with it and whoever signs computes the same again: a draft that holds
anything else or more is refused.
"""
