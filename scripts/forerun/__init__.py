"""Forerun: versioned forecasting runs.

Every training session is one folder of plain files, made by the Snakemake rules in ``workflow/``.
This package is the library behind those rules and the command line for people.
"""

__version__ = "0.1.0"
