"""Tables of time series: reading, checking, filling and splitting."""

from forerun.data.grid import season_length
from forerun.data.lengths import required_length
from forerun.data.preparing import Prepared, load, load_new, prepare
from forerun.data.reading import read_table
from forerun.data.splitting import split, summary

__all__ = [
    "Prepared",
    "load",
    "load_new",
    "prepare",
    "read_table",
    "required_length",
    "season_length",
    "split",
    "summary",
]
