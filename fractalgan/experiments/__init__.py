"""Experiments of many trainings: Figure 5 and Table 1 of the paper."""

from fractalgan.experiments.figure5 import Comparison, ComparisonPlan
from fractalgan.experiments.quiet_trainer import quiet_trainer
from fractalgan.experiments.table1 import AblationPlan, run_ablation

__all__ = ["AblationPlan", "Comparison", "ComparisonPlan", "quiet_trainer", "run_ablation"]
