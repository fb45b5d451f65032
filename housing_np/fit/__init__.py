"""Least squares on a triangular factor, the model that it fits, and its statistics."""
