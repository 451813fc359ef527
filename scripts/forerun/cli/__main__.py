"""``python -m forerun.cli COMMAND ...``: the command line without installation."""

from forerun.cli import main

main()
