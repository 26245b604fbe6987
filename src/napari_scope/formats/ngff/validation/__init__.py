"""Checks of a store: its metadata, its arrays, its files."""
