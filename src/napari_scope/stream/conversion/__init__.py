"""Stores made from stores: planned, translated, written, read back."""
