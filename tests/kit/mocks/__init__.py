"""A plug-in whose name begins as that of the mock endpoint."""
