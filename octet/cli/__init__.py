"""The command line: arguments and words. No arithmetic."""
