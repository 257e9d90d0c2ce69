"""The package's version, alone in a file so that nothing else loads when it is read."""

VERSION = "0.1.0"
