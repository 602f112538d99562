"""Entry point: answers --help and --version at once, and leaves the rest to the command line proper."""

import gc
import os
import sys

from fractalgan import __version__

VERBS = ("fit", "validate", "test", "predict", "compare", "ablate")

HELP = f"""\
fractalgan {__version__}: learn fractals from images by gradient descent.

usage: python -m fractalgan VERB [options]

  fit        learn 100 fractals from real images; no options: handwritten digits, a minute or two
  validate   judge a checkpoint on the validation images
  test       judge a checkpoint on the test images
  predict    write images of the learned fractals to disk, one sub-folder a fractal
  compare    what learned fractals are worth for pre-training, against random ones: Figure 5 of the paper
  ablate     how well fractals rebuild images, by recipe and data set: Table 1 of the paper

options that are used most
  --config FILE.yaml           take the options from a file, such as those in configs/
  --data.name NAME             digits, MNIST, FashionMNIST, KMNIST, or folder
  --data.root DIR              where downloads are kept; for folder, your own images
  --model.OPTION VALUE         such as --model.num_fractals 50
  --trainer.max_steps N        how long to train; all of Lightning's Trainer is under --trainer
  --run DIR                    the folder of this run (default: the next of runs/gan-digits-1, -2, ...)
  --ckpt_path FILE             fit: go on from there ("last": from the newest run); else: what to judge
  --seed_everything N          other random numbers (default 0)
  --print_config               print all options as YAML, and stop

  python -m fractalgan fit --model.help fractalgan.FractalGAN   every option of the model
  python -m fractalgan fit --data.help fractalgan.ImageData     every option of the data
  python -m fractalgan fit --help-all                           every option, Lightning's Trainer too

examples
  python -m fractalgan fit
  python -m fractalgan fit --config configs/gan_fashion_mnist.yaml --data.root data
  python -m fractalgan fit --data.name folder --data.root my_images --run runs/mine
  python -m fractalgan fit --ckpt_path last
  python -m fractalgan predict --ckpt_path runs/gan-digits-1/checkpoints/best.ckpt
  python -m fractalgan fit --config configs/pretraining.yaml --model.fractals fashion-mnist
  python -m fractalgan fit --config configs/probe.yaml --model.backbone untrained
  python -m fractalgan compare --config configs/compare_digits.yaml
  python -m fractalgan fit --config configs/reconstruction.yaml --data.path cat.png
  python -m fractalgan ablate --config configs/ablation_digits.yaml
  tensorboard --logdir runs
"""


def main() -> int:
    """Run the command line in ``sys.argv`` and return its exit status."""
    arguments = sys.argv[1:]
    if not arguments or {"-h", "--help"} & set(arguments) or arguments[0] == "help":
        print(HELP, end="")
        return 0 if arguments else 2
    if arguments[0] in ("-V", "--version"):
        print(f"fractalgan {__version__}")
        return 0
    if arguments[0] not in VERBS:
        print(
            f"fractalgan: error: no verb {arguments[0]!r}: the first word is {', '.join(VERBS)}",
            file=sys.stderr,
        )
        return 2
    arguments = ["--help" if argument == "--help-all" else argument for argument in arguments]
    # OpenMP's threads wait for each other some hundred times in a step. Threads that spin until they are
    # needed make two programs on the same cores 3 to 10 times slower each; threads that sleep at once take
    # a quarter of its speed from a program that is alone. Some microseconds of spinning, then sleep, do
    # neither. OpenMP reads this when torch is imported.
    os.environ.setdefault("OMP_WAIT_POLICY", "PASSIVE")
    os.environ.setdefault("GOMP_SPINCOUNT", "3000")
    # What is imported stays: looking for garbage in it is a fifth of the time that the imports take.
    gc.disable()
    try:
        from fractalgan import ablate, cli, compare  # torch and Lightning take seconds to import
    except KeyboardInterrupt:
        print("fractalgan: interrupted before it began", file=sys.stderr)
        return 130
    gc.enable()
    if arguments[0] == "compare":
        return compare.run(arguments[1:])
    if arguments[0] == "ablate":
        return ablate.run(arguments[1:])
    return cli.run(arguments)


if __name__ == "__main__":
    sys.exit(main())
