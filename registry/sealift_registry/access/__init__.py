"""Accounts of the server, how they sign in, and who may do what."""
