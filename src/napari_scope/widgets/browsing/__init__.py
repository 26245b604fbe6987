"""The Browse data dock and its parts: stores, their contents, what is being written."""
