"""Pieces of a page that several pages and views show: each knows what it is given, and nothing of the page."""
