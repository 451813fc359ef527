"""Back-tests judged: errors, intervals, the choice and combination of models."""
