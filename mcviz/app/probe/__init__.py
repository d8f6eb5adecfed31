"""The probe: inputs of every kind, their predictions, explanations of these, and OOD verdicts."""
