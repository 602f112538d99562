"""What a run leaves for people to read; imported by the command line alone."""

from fractalgan.reports import figure5, table1
from fractalgan.reports.csv_file import write_csv
from fractalgan.reports.summary import Summary, next_commands

__all__ = ["Summary", "figure5", "next_commands", "table1", "write_csv"]
