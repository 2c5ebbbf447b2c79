"""TUF's client workflow to the letter, and the layer of stricter rules that stands over it.

    steps       what a walk asks for and hands on
    reading     bytes to metadata
    counting    whose signatures count
    letter      the workflow, which asks the layer at each place where a rule may add something
    layer       the rules that a medium asks for, each with its reason

Nothing but `sealift_signing.tuf_walk` imports this: there the walk and all rules are one. A walk
without them is for the TUF conformance suite alone (`tests/conformance`); import-linter and a test
hold that.
"""
