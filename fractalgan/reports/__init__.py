"""What a finished run leaves for people to read."""

from fractalgan.reports import figure5, table1
from fractalgan.reports.next_steps import commands_after_fit, format_commands, quote
from fractalgan.reports.summary import Summary, write_summary

__all__ = ["Summary", "commands_after_fit", "figure5", "format_commands", "quote", "table1", "write_summary"]
