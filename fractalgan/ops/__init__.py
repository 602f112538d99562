"""Pure functions on tensors: from affine maps to images, and back by the gradient."""

from fractalgan.ops._threads import render_threads, set_render_threads
from fractalgan.ops.affine import (
    Factors,
    Transforms,
    compose,
    determinant_probabilities,
    factorize,
    fixed_point,
    rotation,
    uniform_probabilities,
)
from fractalgan.ops.chaos import draw_sequences, iterate_points, look_up_sequences
from fractalgan.ops.collapse import Collapse, collapse
from fractalgan.ops.render import Backend, check_view, render, start_points
from fractalgan.ops.splat import bump_reach, splat_dense, splat_separable, to_pixels
from fractalgan.ops.systems import (
    Procedure,
    anderson_farrell,
    even,
    fill_window,
    filling_rates,
    fractaldb,
    random_systems,
    visited_cells,
)

__all__ = [
    "Backend",
    "Collapse",
    "Factors",
    "Procedure",
    "Transforms",
    "anderson_farrell",
    "bump_reach",
    "check_view",
    "collapse",
    "compose",
    "determinant_probabilities",
    "draw_sequences",
    "even",
    "factorize",
    "fill_window",
    "filling_rates",
    "fixed_point",
    "fractaldb",
    "iterate_points",
    "look_up_sequences",
    "random_systems",
    "render",
    "render_threads",
    "rotation",
    "set_render_threads",
    "splat_dense",
    "splat_separable",
    "start_points",
    "to_pixels",
    "uniform_probabilities",
    "visited_cells",
]
