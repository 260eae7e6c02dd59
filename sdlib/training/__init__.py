"""Making rows: the training loop, one run from its name to its row, searches."""
