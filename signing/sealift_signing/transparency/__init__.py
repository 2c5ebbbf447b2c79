"""The mathematics of the append-only log: trees, proofs, tiles, checkpoints, entries, verdicts.

Hub and site keep their logs in different databases and share everything here. Nothing in this
package opens, stores or looks anything up: it is given hashes and bytes, and returns them.
"""
