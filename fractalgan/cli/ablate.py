"""`ablate`: Table 1, how well fractals reconstruct images, by recipe and data set."""

from jsonargparse import ArgumentParser

from fractalgan.cli.experiment import make_experiment_parser, parse_experiment, run_experiment
from fractalgan.cli.parser import PARSER_OPTIONS
from fractalgan.experiments import AblationPlan, run_ablation
from fractalgan.tasks import Reconstruction

# The encoder may be named later: the rows that need it record it.
CHANGEABLE = {"plan": {"data", "rows", "seeds", "workers", "cluster", "root", "encoder"}}

# Arguments of Reconstruction that follow --plan.size and the seeds.
SET_BY_PLAN = {"image_size", "seed"}


def ablate(arguments: list[str]) -> int:
    """Run `ablate`; the exit status."""
    parser = make_experiment_parser("ablate")
    parser.add_class_arguments(AblationPlan, "plan")
    options = parse_experiment(parser, arguments)
    plan = AblationPlan(**vars(options.plan))
    _check_options(plan)
    targets = plan.check()
    stem = f"ablation-{'-'.join(plan.data)}"
    return run_experiment(
        parser, options, stem, CHANGEABLE, lambda folder: run_ablation(plan, folder, targets)
    )


def _check_options(plan: AblationPlan) -> None:
    """Raise ArgumentError for options of the plan that Reconstruction lacks, or that have another type."""
    parser = ArgumentParser(prog="fractalgan ablate", **PARSER_OPTIONS)
    parser.add_class_arguments(Reconstruction, "plan.options", skip=SET_BY_PLAN)
    parser.parse_object({"plan": {"options": plan.options}})
