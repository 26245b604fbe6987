"""Views of what was saved with the frames."""
