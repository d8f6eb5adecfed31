"""How far a run's probabilities can be trusted, and what to do about the doubtful examples."""
