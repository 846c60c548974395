"""The command line: parses and prints, and leaves the work to `ttd_core`."""
