"""A model over HTTP: requests, answers and limits; `housing_np.serve` is the command."""
