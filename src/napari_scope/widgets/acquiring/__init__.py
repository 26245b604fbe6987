"""The Acquire dock and its parts: the plan, the outputs, the run."""
