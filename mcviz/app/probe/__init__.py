"""The probe: inputs of every kind for the model, what it makes of them, and how it is judged."""
