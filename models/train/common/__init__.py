"""What the training of every model shares."""
