"""Keras models: trained, loaded, and sampled with dropout left on."""
