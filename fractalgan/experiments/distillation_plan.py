"""What the table of labeled fractals compares, and how its sets and networks are trained."""

from dataclasses import dataclass, field
from typing import Any

from fractalgan.errors import InputError, require_at_least, require_features
from fractalgan.experiments.hardware import Device, Precision, require_hardware
from fractalgan.limits import require_sizes
from fractalgan.reports import distill

# Sources that share fractals, which one job learns, so that no two learn the same; those that take longest
# come first.
GROUPS = (
    ("exemplars", "distilled"),
    ("gan",),
    ("random-exemplars",),
    ("random",),
    ("pixels",),
    ("random-pixels",),
)


@dataclass(frozen=True)
class DistillationPlan:
    """What is compared.

    Every seed has other exemplars, fractals, GANs and networks. Storage is that of images as the data set has
    them: 784 numbers per class for one image of MNIST, which hold 13 fractals of ten transforms.

    Args:
        sources: what networks are trained on. exemplars: fractals that rebuild the medoids of each class;
            random-exemplars: fractals that rebuild random images; gan: fractals of a GAN with labels;
            distilled: fractals of a distillation that starts from the exemplars; random: random fractals with
            random labels; pixels: the images that the exemplars rebuild; random-pixels: as many random
            images.
        images_per_class: numbers of images per class whose storage fractals may take.
        num_transforms: number of affine transforms per fractal (N).
        features: what each transform carries: 3 numbers, a color; 1, a gray level; or 0, which draws white on
            black. null follows the images: 3 for those in color, else 0.
        jitters: jitters of the drawn images, of which the one with the best validation accuracy is chosen for
            each source and storage, at the first seed.
        seeds: number of random seeds.
        workers: number of processes, with one thread each.
        cluster: address of the scheduler of a dask cluster, such as tcp://host:8786, whose workers run the
            jobs in place of processes of this machine; or local, for a cluster on this machine.
        accelerator: cpu or gpu, which all processes share.
        precision: of classifiers and distillations: 32-true, or bf16-mixed, which is faster on many
            processors.
    """

    sources: list[str] = field(default_factory=lambda: list(distill.SOURCES))
    images_per_class: list[int] = field(default_factory=lambda: [1, 10])
    num_transforms: int = 10
    features: int | None = None
    jitters: list[float] = field(default_factory=lambda: [0.0, 0.02, 0.05])
    seeds: int = 3
    workers: int = 2
    cluster: str | None = None
    accelerator: Device = "cpu"
    precision: Precision = "32-true"

    def check(self) -> None:
        """Raise InputError for values that are out of range."""
        require_at_least(1, **{f"plan.{name}": getattr(self, name) for name in ("seeds", "workers")})
        require_sizes(num_transforms=self.num_transforms)
        require_features(self.features)
        require_hardware(self)
        for name in ("sources", "images_per_class", "jitters"):
            given = getattr(self, name)
            if not given or len(set(given)) < len(given):
                raise InputError(f"plan.{name} must be distinct values, at least one, got {given}")
        require_at_least(1, **_each("plan.images_per_class", self.images_per_class))
        require_at_least(0, **_each("plan.jitters", self.jitters))
        if unknown := [each for each in self.sources if each not in distill.SOURCES]:
            raise InputError(f"plan.sources must be among {', '.join(distill.SOURCES)}, got {unknown[0]!r}")


def _each(name: str, values: list[Any]) -> dict[str, Any]:
    return {f"{name}[{k}]": each for k, each in enumerate(values)}
