"""Files, text, numbers and errors: used by all packages, independent of runs."""
