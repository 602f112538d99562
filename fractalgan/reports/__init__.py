"""What people look at and read: pictures and animations of fractals, and what a finished run leaves."""

from fractalgan.reports import distill, figure5, table1
from fractalgan.reports.animation import check_animation, morph_frames, write_animation, zoom_frames
from fractalgan.reports.next_steps import commands_after_fit, format_commands, quote
from fractalgan.reports.page import write_page
from fractalgan.reports.painting import Paint, cell_size, picture_grid
from fractalgan.reports.summary import Summary, write_summary

__all__ = [
    "Paint",
    "Summary",
    "cell_size",
    "check_animation",
    "commands_after_fit",
    "distill",
    "figure5",
    "format_commands",
    "morph_frames",
    "picture_grid",
    "quote",
    "table1",
    "write_animation",
    "write_page",
    "write_summary",
    "zoom_frames",
]
