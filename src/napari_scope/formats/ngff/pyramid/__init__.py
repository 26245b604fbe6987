"""Coarser levels of images and labels: planned, computed, listed."""
