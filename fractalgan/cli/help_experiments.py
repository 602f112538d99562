"""The help pages of the commands that run experiments of many trainings."""

COMPARE = """\
usage: python -m fractalgan compare [options]

Compare pre-training data: train networks on images of learned and of other fractals, with several random
seeds, and evaluate them by linear probes or by fine-tuning. By default this is Figure 5 of the paper. --run
resumes an interrupted comparison.

  --config FILE                compare_digits.yaml, compare_fashion_mnist.yaml, compare_mnist.yaml, or your
                               own
  --run DIR                    folder of the run, resumed if it exists (default: the next free of
                               runs/compare-digits-1, -2, ...)
  --plan.sources [SOURCE,...]  pixels, untrained, random, perturbed, learned, and other fractals by name or
                               path (default: [pixels,untrained,random,learned])
  --plan.learned SOURCE        learned fractals: a name, file, checkpoint, or run folder (default: null, which
                               trains a GAN first)
  --plan.protocols [NAME,...]  probe, finetune (default: [probe])
  --plan.seeds N               random seeds, each with a network per source of fractals (default: 10)
  --plan.steps N               pre-training steps per network (default: 5000)
  --plan.every N               steps between two evaluations (default: 1000)
  --plan.labels [N,...]        labeled images per class; 0 uses all (default: [0,100,10])
  --plan.workers N             number of processes (default: 2)
  --plan.cluster ADDRESS       dask scheduler, tcp://HOST:8786, whose workers run the jobs (default: null)
  --plan.accelerator NAME      cpu or gpu (default: cpu)
  --plan.precision NAME        32-true, or bf16-mixed, which is faster on many processors (default: 32-true)
  --data.name NAME             real images: digits, MNIST, FashionMNIST, KMNIST, or folder (default: digits)
  --data.root DIR              folder of your own images, or of downloaded data sets (default: data)
  --pretraining.OPTION VALUE   option of Pretraining, such as --pretraining.network resnet18
  --finetuning.OPTION VALUE    steps, batch_size, or an option of Classifier, such as --finetuning.lr 0.001
  --drawing.OPTION VALUE       option of FractalData, such as --drawing.jitter 0.1; num_points, window and tau
                               are those of random fractals only
  --help-all                   all options

examples
  python -m fractalgan compare --config compare_digits.yaml
  python -m fractalgan compare --run runs/compare-digits-1
"""

DISTILL = """\
usage: python -m fractalgan distill [options]

Make the table of labeled fractals: train a network on small stored sets, of fractals and of images, with
several random seeds, and test it on real images. --run resumes an interrupted table, or adds rows to it.

  --config FILE                 distill_digits.yaml, distill_mnist.yaml, distill_fashion_mnist.yaml,
                                or your own
  --run DIR                     folder of the run, resumed if it exists (default: the next free of
                                runs/distill-digits-1, -2, ...)
  --plan.sources [SOURCE,...]   distilled, exemplars, random-exemplars, gan, random, pixels, random-pixels
                                (default: all)
  --plan.images_per_class [N,...]   numbers of images per class whose storage fractals may take
                                (default: [1,10])
  --plan.num_transforms N       number of affine transforms per fractal (default: 10)
  --plan.features N             1 for a gray level per transform, 3 for a color, 0 for white on black
                                (default: 3 for images in color, else 0)
  --plan.jitters [X,...]        jitters to choose from, by validation images (default: [0.0,0.02,0.05])
  --plan.seeds N                random seeds, each with other exemplars, fractals and networks (default: 3)
  --plan.workers N              number of processes (default: 2)
  --plan.cluster ADDRESS        dask scheduler, whose workers run the jobs (default: null)
  --plan.accelerator NAME       cpu or gpu (default: cpu)
  --plan.precision NAME         32-true, or bf16-mixed, which is faster on many processors (default: 32-true)
  --data.name NAME              digits, MNIST, FashionMNIST, KMNIST, CIFAR10, ..., or folder (default: digits)
  --data.root DIR               folder of your own images, or of downloaded data sets (default: data)
  --classifier.OPTION VALUE     steps, batch_size, or an option of Classifier, such as --classifier.width 128
  --reconstruction.OPTION VALUE   steps, or an option of Reconstruction
  --gan.OPTION VALUE            steps, batch_size, binarize, or an option of FractalGAN
  --distillation.OPTION VALUE   steps, batch_size, or an option of Distillation
  --help-all                    all options

examples
  python -m fractalgan distill --config distill_digits.yaml
  python -m fractalgan distill --run runs/distill-digits-1 --plan.seeds 5
"""

ABLATE = """\
usage: python -m fractalgan ablate [options]

Reproduce Table 1 of the paper: reconstruct images by several recipes, with several random seeds, and print
the errors beside the paper's. --run resumes an interrupted ablation, or adds rows to a finished one.

  --config FILE             ablation_digits.yaml, ablation_fashion_mnist.yaml, or your own
  --run DIR                 folder of the run, resumed if it exists (default: the next free of
                            runs/ablation-digits-1, -2, ...)
  --plan.data [NAME,...]    data sets: digits, MNIST, FashionMNIST, KMNIST, fractaldb (default: [digits])
  --plan.rows [ROW,...]     recipes: B to F of the paper, raw, release, best, best-one-start, ...
                            (default: [C,D,E,F,raw,best])
  --plan.seeds N            random seeds per row (default: 3)
  --plan.count N            target images per data set (default: 100)
  --plan.steps N            training steps per target (default: 1000)
  --plan.encoder FILE       checkpoint of the encoder that the rows with an encoder need
  --plan.root DIR           folder of downloaded data sets (default: data)
  --plan.workers N          number of processes (default: 2)
  --plan.cluster ADDRESS    dask scheduler, whose workers run the jobs (default: null)
  --help-all                all options

examples
  python -m fractalgan ablate --config ablation_digits.yaml
  python -m fractalgan ablate --run runs/ablation-digits-1 --plan.rows '[best]'
"""
