"""Models in uint8: scales and zero points, calibration, rounding, the schemes and their bound."""
