"""An import, step by step: from the medium to one commit, and stopping what is recalled."""
