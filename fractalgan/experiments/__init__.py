"""Experiments of many trainings: `compare` and `ablate` (Figure 5 and Table 1 of the paper), `distill`."""

from fractalgan.experiments.comparison import Comparison
from fractalgan.experiments.comparison_plan import ComparisonPlan
from fractalgan.experiments.distillation_plan import DistillationPlan
from fractalgan.experiments.distillation_table import DistillationTable
from fractalgan.experiments.quiet_trainer import quiet_trainer
from fractalgan.experiments.recipe import Recipe
from fractalgan.experiments.stored_sets import StoredSets
from fractalgan.experiments.table1 import AblationPlan, run_ablation

__all__ = [
    "AblationPlan",
    "Comparison",
    "ComparisonPlan",
    "DistillationPlan",
    "DistillationTable",
    "Recipe",
    "StoredSets",
    "quiet_trainer",
    "run_ablation",
]
