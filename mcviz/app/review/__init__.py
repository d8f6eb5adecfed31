"""The parts of the page Label: its queue, decisions and results."""
