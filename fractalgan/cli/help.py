"""The help pages: one for the program and one for each command. Nothing here imports torch."""

from fractalgan import __version__
from fractalgan.cli.help_experiments import ABLATE, COMPARE, DISTILL

SUMMARIES = {
    "fit": "train: learn fractals, reconstruct images, pre-train, fit a linear probe, or classify",
    "validate": "evaluate a checkpoint on the validation images",
    "test": "evaluate a checkpoint on the test images",
    "predict": "write images of learned fractals to disk, one folder per fractal",
    "draw": "draw pictures and animations of fractals, at any size and zoom",
    "export": "write fractals, or a network, to a file for other programs (.flame, .svg, .onnx, ...)",
    "report": "write a page about runs, with fractals that can be zoomed into",
    "compare": "compare pre-training on learned, random and perturbed fractals: Figure 5 of the paper",
    "distill": "compare what a network learns from labeled fractals and from a few stored images",
    "ablate": "reproduce Table 1 of the paper: how well fractals reconstruct images, by recipe",
}

PROGRAM = f"""\
fractalgan {__version__}: learn fractals from images by gradient descent

usage: python -m fractalgan COMMAND [options]

commands
{{commands}}

  python -m fractalgan COMMAND --help       the most used options of a command
  python -m fractalgan COMMAND --help-all   all of its options

examples
  python -m fractalgan fit                                            # 100 fractals from handwritten digits
  python -m fractalgan fit --config gan_folder.yaml --data.root my_images
  python -m fractalgan fit --config reconstruction.yaml --data.path cat.png
  python -m fractalgan fit --ckpt_path last                           # resume the newest run
  python -m fractalgan predict --ckpt_path best --images 5
  tensorboard --logdir runs
"""

RUN_OPTIONS = """\
  --config FILE         YAML file with options: a path, or the name of a shipped one (listed below)
  --run DIR             folder of the run (default: the next free of runs/gan-digits-1, -2, ...)"""

CHECKPOINT = """\
  --ckpt_path FILE         checkpoint to load: a file, or last or best of --run or of the newest run"""

CONFIGS = """\
configurations
  gan_digits.yaml  gan_mnist.yaml  gan_fashion_mnist.yaml  gan_kmnist.yaml  gan_folder.yaml
  reconstruction.yaml  reconstruction_32px.yaml  reconstruction_color.yaml  reconstruction_color_32px.yaml
  reconstruction_paper.yaml  reconstruction_release.yaml
  autoencoder.yaml  inverse_encoder.yaml  pretraining.yaml  probe.yaml  finetuning.yaml
  labeled_fractals.yaml  gan_labeled.yaml  distillation.yaml  classifier.yaml  classifier_images.yaml"""

FIT = f"""\
usage: python -m fractalgan fit [options]

Train a task. Without options, a FractalGAN learns 100 fractals from handwritten digits in a minute or two.

run
{RUN_OPTIONS}
  --ckpt_path FILE      checkpoint to resume from: a file, or last or best of --run or of the newest run
  --seed_everything N   random seed (default: 0)
  --print_config        print all options as YAML and exit

training
  --trainer.max_steps N            number of training steps; one step is one batch (default: 1500)
  --trainer.val_check_interval N   steps between validations, pictures and checkpoints (default: 250)
  --trainer.accelerator NAME       auto, cpu, or gpu (default: auto)
  --trainer.logger NAME            tensorboard, mlflow, wandb, or a list such as [tensorboard,mlflow]
                                   (default: tensorboard)
  --trainer.OPTION VALUE           another argument of Lightning's Trainer

data
  --data.name NAME      digits, MNIST, FashionMNIST, KMNIST, CIFAR10, CIFAR100, SVHN, or folder for your own
                        images (default: digits)
  --data.root DIR       folder of your own images, or of downloaded data sets (default: data)
  --data.size N         height and width in pixels (default: 32)
  --data.channels N     1 reads images in grayscale, 3 in color; auto in color if half are (default: auto)
  --data.invert BOOL    true inverts the images: for dark drawings on a bright background (default: auto)
  --data.path PATH      with reconstruction.yaml: your picture, or a folder of pictures
  --data.fractals SOURCE   with classifier.yaml: digits-labeled, mnist-labeled, fashion-mnist-labeled, or a
                        run, checkpoint or file of labeled fractals
  --data.jitter X       with classifier.yaml: std of Gaussian noise that is added to the transforms of each
                        image, such as 0.05 (default: that of the fractals)
  --data.per_class N    with finetuning.yaml, labeled_fractals.yaml, classifier_images.yaml: number of
                        training images per class

model
  --model.num_fractals N    number of fractals to learn (default: 100)
  --model.conditional WAY   projection or auxiliary: learn with labels, which fractals keep (default: null)
  --model.features N        3 for a color per transform, 1 for a gray level, 0 for white on black (default: 3
                            for images in color, else 0)
  --model.fractals SOURCE   with pretraining.yaml: random, perturbed, digits, fashion-mnist, a file, a run
                            folder, or user/name of the Hugging Face Hub; with distillation.yaml: labeled ones
  --model.network NAME      with pretraining.yaml, finetuning.yaml, and classifier.yaml: lenet, convnet,
                            resnet18 or another of torchvision, timm/vit_tiny_patch16_224 or another of timm
  --model.backbone FILE     with probe.yaml and finetuning.yaml: a checkpoint or a run of Pretraining, or
                            weights (.safetensors, .pth); with probe.yaml also untrained, or pixels

all options
  python -m fractalgan fit --help-all
  python -m fractalgan fit --model.help FractalGAN   # or Reconstruction, Pretraining, Classifier, ...
  python -m fractalgan fit --data.help ImageData     # or TargetData, FractalData, LabeledFractalData, ...

{CONFIGS}

examples
  python -m fractalgan fit
  python -m fractalgan fit --config gan_fashion_mnist.yaml --data.root data
  python -m fractalgan fit --config reconstruction.yaml --data.path cat.png
  python -m fractalgan fit --config pretraining.yaml --model.fractals digits
  python -m fractalgan fit --config probe.yaml \\
      --model.backbone runs/pretraining-digits-1/checkpoints/last.ckpt
  python -m fractalgan fit --config finetuning.yaml --model.backbone runs/pretraining-digits-1
  python -m fractalgan fit --config classifier.yaml --data.fractals runs/reconstruction-digits-1
  python -m fractalgan fit --ckpt_path last --trainer.max_steps 3000
"""

EVALUATE = """\
usage: python -m fractalgan {verb} --ckpt_path FILE [options]

{description}

{checkpoint}
  --run DIR                run folder that last and best refer to (default: the newest run)
  --data.OPTION VALUE      override an option of the run's data, such as --data.root DIR
  --trainer.OPTION VALUE   override an option of Lightning's Trainer, such as --trainer.accelerator cpu

All other options are those of the checkpoint's run. Metrics are printed, and appended to evaluations.jsonl in
the run folder.

examples
  python -m fractalgan {verb} --ckpt_path best
  python -m fractalgan {verb} --ckpt_path runs/{run}/checkpoints/best.ckpt
"""

VALIDATE = EVALUATE.format(
    verb="validate",
    description="Evaluate a checkpoint on the validation images.",
    checkpoint=CHECKPOINT,
    run="gan-digits-1",
)

TEST = EVALUATE.format(
    verb="test",
    description="Evaluate a checkpoint of a task that has a test, such as Classifier, on the test images.",
    checkpoint=CHECKPOINT,
    run="probe-digits-1",
)

PREDICT = f"""\
usage: python -m fractalgan predict --ckpt_path FILE [options]

Draw images of the fractals of a FractalGAN, Reconstruction or Distillation, and write them to predictions/
in the run folder, as <fractal>/<number>.png: a data set that `fit --data.name folder` can read. README.md
says what they are.

{CHECKPOINT}
  --images N               images per fractal (default: 600)
  --size N                 height and width of the images, in pixels (default: that of the training)
  --jitter X               std of Gaussian noise that is added to the transforms of each image, such as 0.15
                           to pre-train a network (default: that of the training)
  --format NAME            imagefolder, or webdataset for shards of 10,000 images (default: imagefolder)
  --labels NAME            fractal, or class, which fractals with labels carry (default: fractal)
  --run DIR                with --ckpt_path last or best: the run folder to read from and to write to
                           with --ckpt_path FILE: a new folder to write to (default: that of FILE's own run)
  --trainer.OPTION VALUE   override an option of Lightning's Trainer, such as --trainer.accelerator cpu

examples
  python -m fractalgan predict --ckpt_path best --images 5
  python -m fractalgan predict --ckpt_path runs/gan-digits-1/checkpoints/best.ckpt --run runs/drawn
"""

DRAW = """\
usage: python -m fractalgan draw SOURCE [options]

Draw learned fractals for people to look at: fine, antialiased, and toned, at any size and zoom. SOURCE is a
name (digits, fashion-mnist), a file of fractals, a checkpoint, or a run folder.

  --out PATH               a file (.png, .jpg, .webp, .tif) gets one picture of all fractals, a folder gets a
                           file for each (default: the name of SOURCE .png, in the current folder)
  --overwrite true         replace an existing file (default: false)
  --fractals N [N ...]     indices of the fractals to draw (default: all)
  --size N                 width of each file in pixels (default: 1024; 480 for an animation)
  --zoom X                 magnification, up to 1e9 (default: 1)
  --center DOWN RIGHT      point in the middle, in the coordinates of the plane (default: with --zoom, a point
                           with detail)
  --colormap NAME          color map of matplotlib, for fractals without colors (default: magma)
  --background COLOR       color such as white or '#204060', or transparent (default: as it was learned)
  --points_per_pixel N     more points make less grain, and take longer (default: 30)
  --seed N                 random seed (default: 0)

animations
  --animate zoom           zoom into one fractal, to --zoom (default: 1000)
  --animate morph          turn each fractal into the next
  --out FILE               .gif, .webp, .png, or .mp4 (which needs PyAV: pip install 'fractalgan[video]')
  --seconds X              length (default: 6 for a zoom, 2 per fractal for a morph)
  --fps N                  frames per second (default: 20)

examples
  python -m fractalgan draw digits
  python -m fractalgan draw runs/gan-digits-1 --size 4096 --out digits.png
  python -m fractalgan draw digits --fractals 7 --zoom 1000 --colormap viridis
  python -m fractalgan draw digits --fractals 7 --animate zoom --zoom 1e6 --out zoom.gif
  python -m fractalgan draw digits --fractals 0 1 2 --animate morph --out morph.webp
"""

REPORT = """\
usage: python -m fractalgan report RUN [RUN ...] [options]

Write a page about a run, or about several side by side: result, pictures, curves, and the fractals, which
can be dragged and zoomed. It is one file that needs no network. fit, compare, distill and ablate write
report.html into the run folder at their end.

  --out FILE      the file (default: report.html in the folder of the only RUN)

examples
  python -m fractalgan report runs/gan-digits-1
  python -m fractalgan report runs/gan-digits-1 runs/gan-digits-2 --out both.html
"""

EXPORT = """\
usage: python -m fractalgan export SOURCE --out FILE [options]

Write fractals to a file. SOURCE is digits, fashion-mnist, a file of fractals (.safetensors, .json, .flame,
.ifs), a checkpoint of FractalGAN, Reconstruction or Distillation, or the folder of such a run. The suffix of
FILE is the format:

  .safetensors, .json   for this program; they hold everything
  .flame, .flam3        for flam3, Apophysis, JWildfire and pyr3
  .ifs                  for FRACTINT
  .svg                  a drawing of the transforms, as the parallelograms that they make of the window

A warning says what a format cannot hold. If SOURCE is a run or a checkpoint of Pretraining or Classifier, or
its backbone.safetensors, the network without its head is written:

  .safetensors          weights with the names of torchvision or timm
  .onnx                 for ONNX Runtime and others (which needs pip install 'fractalgan[onnx]')
  .pt2                  for torch.export.load

  --out FILE            file to write
  --fractals N [N ...]  indices of the fractals to write (default: all)
  --overwrite true      replace an existing file (default: false)

examples
  python -m fractalgan export digits --out digits.flame
  python -m fractalgan export runs/gan-digits-1 --out some.svg --fractals 0 3 7
  python -m fractalgan export somebodys.flame --out somebodys.safetensors
  python -m fractalgan export runs/pretraining-digits-1 --out backbone.onnx
"""

PAGES = {
    "fit": FIT,
    "validate": VALIDATE,
    "test": TEST,
    "predict": PREDICT,
    "draw": DRAW,
    "export": EXPORT,
    "report": REPORT,
    "compare": COMPARE,
    "distill": DISTILL,
    "ablate": ABLATE,
}


def help_page(verb: str | None = None) -> str:
    """The help page of a command, or of the program."""
    if verb is not None:
        return PAGES[verb]
    return PROGRAM.format(commands="\n".join(f"  {name:<10} {each}" for name, each in SUMMARIES.items()))
