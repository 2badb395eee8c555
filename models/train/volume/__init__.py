"""Training of volume-lstm: samples an hour of a series for the next 24 hours."""
