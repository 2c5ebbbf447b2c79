"""The hub as a server: the API under /api/v1, for desks and machines (ADR 56).

Thin: its routes ask the use cases and read models that the commands ask, and answer what those say.
"""
