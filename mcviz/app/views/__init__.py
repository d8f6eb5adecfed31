"""The views of one selection: each shows it and can change it."""
