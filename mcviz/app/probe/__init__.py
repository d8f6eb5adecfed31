"""The probe: inputs of every kind, what the model predicts of them, and whether they are out of distribution."""
