"""What a run leaves for people to read; imported by the command line alone."""

from fractalgan.reports import figure5, table1
from fractalgan.reports.csv_file import write_csv
from fractalgan.reports.next_steps import after_fit, next_commands
from fractalgan.reports.summary import Summary

__all__ = ["Summary", "after_fit", "figure5", "next_commands", "table1", "write_csv"]
