"""Files, text, numbers and errors: what every room uses and what knows nothing of runs."""
