"""``python -m forerun.cli COMMAND ...``: the command line without installing anything."""

from forerun.cli import main

main()
