"""Models, versions, artifacts and what was said of them: where the rooms of the journey meet."""
