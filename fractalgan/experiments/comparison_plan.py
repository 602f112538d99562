"""What a comparison of pre-training data compares."""

from dataclasses import dataclass, field
from typing import Literal

from fractalgan.data import SYNTHETIC
from fractalgan.errors import InputError, require_at_least, require_choice
from fractalgan.experiments.hardware import Device, Precision, require_hardware
from fractalgan.limits import require_sizes
from fractalgan.tasks.probe import PIXELS, UNTRAINED

LEARNED = "learned"  # the fractals of the plan, or of its own GAN
FIGURE5 = [PIXELS, UNTRAINED, "random", LEARNED]  # the sources of the paper

Protocol = Literal["probe", "finetune"]


@dataclass(frozen=True)
class ComparisonPlan:
    """What is compared.

    Every seed has other random fractals but the same learned ones: the spread of their results is that
    of networks and images, not of GANs.

    Args:
        sources: what networks are pre-trained on. learned: the fractals of ``learned``, or of a GAN that is
            trained first; random: random fractals; perturbed: one random fractal in num_fractals variants
            (1p-frac); any other name, file, checkpoint or run folder of fractals, as for ``learned``. For
            reference, untrained: a network with random weights, and pixels: a probe of the images themselves.
        learned: name, file, checkpoint or run folder of learned fractals; null trains a GAN first.
        gan: configuration of that GAN; null uses the default one of `fit`, for the digits.
        gan_options: more options of `fit` for that GAN.
        gan_steps: steps of earlier GAN checkpoints that are evaluated as well, after all steps of a network.
        num_fractals: number of random fractals, and of variants of a perturbed one, each a pseudo-class; null
            is that of the learned ones, or 100 without any.
        protocols: how a network is evaluated. probe: a linear probe of its frozen features; finetune: all of
            its weights and a new head are trained.
        seeds: number of networks per source, each with a random seed of its own.
        steps: pre-training steps of a network.
        every: pre-training steps from one evaluation to the next.
        labels: numbers of labeled images per class that networks are evaluated with; 0 uses all.
        workers: number of processes, with one thread each.
        cluster: address of the scheduler of a dask cluster, such as tcp://host:8786, whose workers run the
            jobs in place of processes of this machine; or local, for a cluster on this machine.
        accelerator: cpu or gpu, which all processes share; a GAN that is trained first follows gan_options.
        precision: of networks that are pre-trained and fine-tuned: 32-true, or bf16-mixed, which is faster on
            many processors. Linear probes are fitted with 32 bits.
    """

    sources: list[str] = field(default_factory=lambda: [*FIGURE5])
    learned: str | None = None
    gan: str | None = None
    gan_options: list[str] = field(default_factory=list)
    gan_steps: list[int] = field(default_factory=list)
    num_fractals: int | None = None
    protocols: list[Protocol] = field(default_factory=lambda: ["probe"])
    seeds: int = 10
    steps: int = 5000
    every: int = 1000
    labels: list[int] = field(default_factory=lambda: [0, 100, 10])
    workers: int = 2
    cluster: str | None = None
    accelerator: Device = "cpu"
    precision: Precision = "32-true"

    @property
    def pretrained(self) -> list[str]:
        """The sources that are fractals."""
        return [each for each in self.sources if each not in (PIXELS, UNTRAINED)]

    @property
    def stored(self) -> list[str]:
        """The sources that are names, files, checkpoints or run folders."""
        return [each for each in self.pretrained if each not in (*SYNTHETIC, LEARNED)]

    @property
    def sampled(self) -> list[str]:
        """The sources whose fractals are not learned."""
        return [each for each in self.pretrained if each in SYNTHETIC]

    @property
    def trains_gan(self) -> bool:
        """Whether the learned fractals are those of a GAN that is trained first."""
        return LEARNED in self.sources and self.learned is None

    @property
    def trains_networks(self) -> bool:
        """Whether a network is pre-trained or fine-tuned."""
        return bool(self.pretrained) or (UNTRAINED in self.sources and "finetune" in self.protocols)

    def check(self) -> None:
        """Raise InputError for values that contradict each other or are out of range."""
        numbers = {name: getattr(self, name) for name in ("seeds", "steps", "every", "workers")}
        require_at_least(1, **{f"plan.{name}": number for name, number in numbers.items()})
        require_at_least(0, **{f"plan.labels[{k}]": each for k, each in enumerate(self.labels)})
        require_sizes(2, num_fractals=2 if self.num_fractals is None else self.num_fractals)
        require_choice(Protocol, **{f"plan.protocols[{k}]": each for k, each in enumerate(self.protocols)})
        require_hardware(self)
        if self.steps % self.every:
            raise InputError(f"plan.every must divide plan.steps, {self.steps}, got {self.every}")
        if not self.labels or len(set(self.labels)) < len(self.labels):
            raise InputError(f"plan.labels must be distinct numbers, 0 for all, got {self.labels}")
        for name in ("sources", "protocols"):
            given = getattr(self, name)
            if not given or len(set(given)) < len(given):
                raise InputError(f"plan.{name} must be distinct, at least one, got {given}")
        self._check_effects()

    def _check_effects(self) -> None:
        """Raise InputError for options without effect."""
        if LEARNED not in self.sources and self.learned is not None:  # configurations may have a GAN
            raise InputError("--plan.learned has no effect: add learned to --plan.sources, or set it to null")
        if self.num_fractals is not None and not self.sampled:
            raise InputError(
                "--plan.num_fractals has no effect without random or perturbed in --plan.sources"
            )
        if self.sources == [PIXELS] and "probe" not in self.protocols:
            raise InputError("plan.sources must have one that can be fine-tuned, which pixels cannot")
