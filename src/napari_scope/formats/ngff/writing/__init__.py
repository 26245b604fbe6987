"""Arrays that are written frame by frame, readable at every moment."""
