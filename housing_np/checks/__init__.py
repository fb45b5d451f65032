"""Checks of what comes from outside: arrays, frames, names and paths."""
