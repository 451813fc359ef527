"""The run folder: its paths, its files, its state; listing, sealing and archiving."""
