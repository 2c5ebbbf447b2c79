"""Acceptance 2 of issue 11: whoever fills the hub gains nothing from whoever signs there."""
