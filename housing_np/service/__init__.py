"""A model over HTTP: what comes in a request, and what goes out; `housing_np.serve` is the command."""
