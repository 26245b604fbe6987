"""The Explorer dock and its parts: the stage, the map, tiles on demand."""
