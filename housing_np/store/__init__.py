"""Models to files and back, files whole or not at all, and the report of a training."""
