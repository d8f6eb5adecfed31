"""Questions about runs: can they be trusted, what should a person look at, which of two is better. No Keras."""
