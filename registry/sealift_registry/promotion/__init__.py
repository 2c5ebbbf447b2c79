"""Gates, signed requests, signed approvals, and listing what was approved."""
