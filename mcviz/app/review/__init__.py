"""The parts of the page Review: its queue, decisions and results."""
