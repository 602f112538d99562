"""What a run leaves for people to read; imported by the command line alone."""

from fractalgan.reports.summary import Summary, next_commands

__all__ = ["Summary", "next_commands"]
