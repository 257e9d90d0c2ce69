"""`python -m loadtest` is the command `loadtest`."""

from loadtest.cli import main

main(prog_name="loadtest")
