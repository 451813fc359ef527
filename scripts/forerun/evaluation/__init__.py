"""Evaluation of cross-validation: errors, intervals, model selection and ensembles."""
