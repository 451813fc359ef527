"""The run folder: paths, files and state; listing, sealing and archiving runs."""
