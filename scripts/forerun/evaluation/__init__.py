"""Evaluation of cross-validation: errors, intervals, selection and combination of models."""
