"""What a model is worth: scores, held-out rows, gates, drift."""
