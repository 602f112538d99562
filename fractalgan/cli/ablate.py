"""`ablate`: Table 1, how well fractals reconstruct images, by recipe and data set."""

from fractalgan.cli.experiment import (
    experiment_folder,
    make_experiment_parser,
    parse_experiment,
    say_how_to_resume,
)
from fractalgan.experiments import AblationPlan, run_ablation

# The encoder may be named later: the rows that need it record it.
CHANGEABLE = {"plan": {"data", "rows", "seeds", "workers", "root", "encoder"}}


def ablate(arguments: list[str]) -> int:
    """Run `ablate`; the exit status."""
    parser = make_experiment_parser("ablate")
    parser.add_class_arguments(AblationPlan, "plan")
    options = parse_experiment(parser, arguments)
    plan = AblationPlan(**vars(options.plan))
    targets = plan.check()
    with experiment_folder(parser, options, f"ablation-{'-'.join(plan.data)}", CHANGEABLE) as folder:
        try:
            run_ablation(plan, folder, targets)
        except KeyboardInterrupt as stopped:
            return say_how_to_resume("ablate", folder, stopped)
    return 0
