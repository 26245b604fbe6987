"""Plates as one mosaic: wells and fields placed, read when they are seen."""
