"""Files, strings, locks and errors: utilities that do not depend on runs."""
