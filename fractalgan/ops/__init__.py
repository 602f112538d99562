"""Pure functions on tensors: from affine transforms to images, and their gradients."""

from fractalgan.ops._checks import check_view
from fractalgan.ops._threads import render_threads, set_render_threads
from fractalgan.ops.affine import (
    PROBABILITIES,
    Factors,
    ProbabilityRule,
    Transforms,
    area_probabilities,
    compose,
    determinant_probabilities,
    factorize,
    fixed_point,
    offsets_about,
    rotation,
    uniform_probabilities,
)
from fractalgan.ops.chaos import iterate_points
from fractalgan.ops.collage import blur, contractions, place_copies, union
from fractalgan.ops.collage_descent import collage_bound, descend_collage
from fractalgan.ops.collage_search import Greed, search_collages
from fractalgan.ops.collapse import Collapse, collapse
from fractalgan.ops.compositing import composite
from fractalgan.ops.features import Features, point_features, random_features
from fractalgan.ops.fractals import Fractals
from fractalgan.ops.measure import Measure, measure
from fractalgan.ops.perturbed import perturbed_fractals
from fractalgan.ops.pieces import Pieces, View, pieces_in_view
from fractalgan.ops.random_fractals import (
    Procedure,
    anderson_farrell,
    equal_size,
    fill_window,
    filling_rates,
    fractaldb,
    move_to_window,
    points_of_chains,
    random_fractals,
    visited_cells,
)
from fractalgan.ops.render import Backend, render, start_points
from fractalgan.ops.sequences import (
    SEQUENCES,
    SequenceKind,
    draw_sequences,
    even_sequences_from_uniform,
    sequences_from_uniform,
)
from fractalgan.ops.splat import bump_reach, splat_dense, splat_separable, to_pixels
from fractalgan.ops.tone import Layer, tone

__all__ = [
    "PROBABILITIES",
    "SEQUENCES",
    "Backend",
    "Collapse",
    "Factors",
    "Features",
    "Fractals",
    "Greed",
    "Layer",
    "Measure",
    "Pieces",
    "ProbabilityRule",
    "Procedure",
    "SequenceKind",
    "Transforms",
    "View",
    "anderson_farrell",
    "area_probabilities",
    "blur",
    "bump_reach",
    "check_view",
    "collage_bound",
    "collapse",
    "compose",
    "composite",
    "contractions",
    "descend_collage",
    "determinant_probabilities",
    "draw_sequences",
    "equal_size",
    "even_sequences_from_uniform",
    "factorize",
    "fill_window",
    "filling_rates",
    "fixed_point",
    "fractaldb",
    "iterate_points",
    "measure",
    "move_to_window",
    "offsets_about",
    "perturbed_fractals",
    "pieces_in_view",
    "place_copies",
    "point_features",
    "points_of_chains",
    "random_features",
    "random_fractals",
    "render",
    "render_threads",
    "rotation",
    "search_collages",
    "sequences_from_uniform",
    "set_render_threads",
    "splat_dense",
    "splat_separable",
    "start_points",
    "to_pixels",
    "tone",
    "uniform_probabilities",
    "union",
    "visited_cells",
]
