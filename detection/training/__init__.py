"""Training loop, checkpoints and random states, for any network that returns its losses in training mode."""
