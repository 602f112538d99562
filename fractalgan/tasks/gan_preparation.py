"""Before the first step of FractalGAN: what follows from the real images, and what checkpoints keep of it."""

from typing import Any

import torch
from torch import Tensor

from fractalgan.errors import InputError
from fractalgan.nn import Discriminator, FractalGenerator, covered_shapes, make_discriminator
from fractalgan.randomness import same_weights
from fractalgan.tasks.channels import channels_of, require_levels
from fractalgan.tasks.feature_options import resolve_features
from fractalgan.tasks.gan_evaluation import GANEvaluation
from fractalgan.tasks.gan_labels import (
    choose_for_classes,
    require_every_class,
    require_same_classes,
    shared_out,
)
from fractalgan.tasks.gan_scores import GANScores
from fractalgan.tasks.gan_start import (
    adapt_points_,
    adopt_features_,
    assign_prototypes,
    covering_tau,
    load_collages_,
    random_embedding,
)
from fractalgan.tasks.protocols import datamodule_of, labeled_training_images
from fractalgan.tasks.reconstruction_options import COLLAGE


class GANPreparation(GANEvaluation):
    """The part of FractalGAN that adapts fractals to the real images, and chooses their prototypes.

    Attributes:
        adapted: whether fractals have been adapted to real images, or restored from a checkpoint.
        tau_follows_data: whether the width of points is adapted.
        prototypes: training images [J, C, H, W] uint8, one for each fractal.
    """

    adapted: bool = False
    tau_follows_data: bool
    prototypes: Tensor | None

    def _build(self) -> None:
        """Make what depends on the features."""
        self.register_buffer("prototypes", None, persistent=False)
        options, features = self.hparams, self.hparams["features"] or 0
        names = "image_size", "num_points", "window", "tau", "jitter", "probabilities", "sequences"
        view = {name: options[name] for name in names}
        self.generator = FractalGenerator(random_embedding(options), **view)
        self.discriminator = self._make_discriminator()
        self.scores = GANScores(options["seed"], features)

    def _make_discriminator(self) -> Discriminator:
        """One for the classes of the fractals, if they have some."""
        options, number = self.hparams, len(self.generator.embedding.classes)
        view = options["image_size"], self.generator.channels
        return make_discriminator(options["conditional"], number, *view)

    def _see_classes(self) -> None:
        """Make another discriminator, for the classes of the fractals."""
        with same_weights():
            self.discriminator = self._make_discriminator().to(self.device)

    def setup(self, stage: str) -> None:
        data, features = datamodule_of(self.trainer), self.hparams["features"]
        if (channels := channels_of(data)) is not None:
            resolve_features(self.hparams, channels, getattr(data, "source", "the data"))
            require_levels(data, self.hparams["features"])
            if features is None and self.hparams["features"]:
                with same_weights():
                    self._build()
        if (conditional := self.hparams["conditional"]) is not None and stage != "predict":
            labels = shared_out(self.hparams["num_fractals"], data, conditional)
            if not self.generator.embedding.classes:
                self.generator.embedding.label_(labels)
                self._see_classes()
        super().setup(stage)

    def on_fit_start(self) -> None:
        super().on_fit_start()
        self.hparams["features"] = self.hparams["features"] or 0  # as built, if no data module has images
        if (schedule := self.hparams["generator_schedule"]) != "constant":
            self._require_last_step(f"--model.generator_schedule {schedule}")
        data = datamodule_of(self.trainer)
        require_same_classes(data, self.generator.embedding.classes)
        found = labeled_training_images(data) if self._needs_images() else None
        if found is not None:
            self._adapt(*found)

    def _needs_images(self) -> bool:
        return not self.adapted or (self.hparams["prototypes"] > 0 and self.prototypes is None)

    def _adapt(self, images: Tensor, labels: Tensor | None = None) -> None:
        """Adapt the width of points to real images [n, C, H, W] with labels [n], and choose prototypes."""
        new, self.adapted = not self.adapted, True
        if new and self.tau_follows_data:
            masks = covered_shapes(images, self.hparams["features"] or 0)
            self.generator.tau = self.hparams["tau"] = covering_tau(masks, self.generator.num_points)
        collages = new and self.hparams["start"] == COLLAGE
        if collages or self.hparams["prototypes"] > 0:
            chosen, embedding = images, self.generator.embedding
            if labels is not None:
                require_every_class(labels, embedding.classes)
            if self.trainer.is_global_zero:
                chosen = choose_for_classes(images, labels, embedding, self.hparams["seed"])
                if collages:
                    load_collages_(self.generator, self.hparams, chosen)
                else:
                    chosen = assign_prototypes(self.gallery().cpu(), chosen, self.generator)
                if new and self.hparams["features"]:
                    adopt_features_(self.generator, chosen, self.hparams)
                chosen = (255 * chosen).round().to(torch.uint8)
            parameters = {name: value.cpu() for name, value in embedding.state_dict().items()}
            chosen, parameters = self.trainer.strategy.broadcast((chosen, parameters))
            self.prototypes = chosen.to(self.device)
            embedding.load_state_dict(parameters)
            if new and self.tau_follows_data:
                adapt_points_(self.generator, chosen / 255)

    def on_load_checkpoint(self, checkpoint: dict[str, Any]) -> None:
        super().on_load_checkpoint(checkpoint)
        labeled = bool(self.generator.embedding.classes)
        if labeled != (self.hparams["conditional"] is not None):
            what = "labels" if labeled else "no labels"
            raise InputError(
                f"the fractals of the checkpoint have {what}: leave --model.conditional as it was"
            )
        if labeled:
            self._see_classes()
        for name in ("probabilities", "sequences"):
            setattr(self.generator, name, self.hparams[name])
        tau = checkpoint.get("hyper_parameters", {}).get("tau")
        if tau is not None:
            self.generator.tau = self.hparams["tau"] = tau
        embedding = self.generator.embedding
        has_multiples = "generator.embedding.relative_tau" in checkpoint["state_dict"]
        embedding.relative_tau = torch.ones_like(embedding.b[:, 0, 0]) if has_multiples else None
        self.prototypes = checkpoint.get("prototypes")
        self.adapted = True

    def on_save_checkpoint(self, checkpoint: dict[str, Any]) -> None:
        super().on_save_checkpoint(checkpoint)
        checkpoint["prototypes"] = self.prototypes
