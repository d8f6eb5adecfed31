"""The page Out of distribution: what is computed, and how it is shown."""
