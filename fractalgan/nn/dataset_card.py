"""The card of a data set that fractals drew: the README.md beside its images."""

import yaml

from fractalgan.nn.card_tables import escaped, section
from fractalgan.nn.model_card import METADATA, NO_LICENSE, was_learned
from fractalgan.storage.fractal_content import FractalFile

CARD = """\
---
{metadata}---

# Images of {count} fractals

{images} images of {count} fractals, {per_fractal} of each, {size} x {size} pixels, {kind}. {labels}

Each fractal is an iterated function system of {transforms} affine transforms, and its images are drawn with
random numbers of their own, by fractalgan {version}.
{sections}
## License

{license}
"""

LICENSE = """MIT, for these images of fractals that were learned by fractalgan. What the fractals were learned
from has a license of its own."""

LABELS = {
    "fractal": "An image is labeled with its fractal, a pseudo-class.",
    "class": "An image is labeled with the class of its fractal.",
}


def dataset_card(content: FractalFile, per_fractal: int, labels: str, version: str) -> str:
    """A card that says what a data set is and where its fractals come from.

    Args:
        content: the fractals.
        per_fractal: number of images of each.
        labels: ``fractal`` or ``class``: what images are labeled with.
        version: of this package.

    Returns:
        Markdown after a YAML header, with all values of the file escaped.
    """
    count, transforms, _ = content.parameters["b"].shape
    features = content.parameters.get("features.values")
    colored = features is not None and features.shape[2] == 3
    classes = content.settings.get("classes") or []
    learned = was_learned(content)
    license_ = {"license": "mit"} if learned else {}
    known = dict(content.provenance)
    tables = {"Data": known.pop("data", None), "Fractals": known, "Drawing": content.settings}
    named = {"Classes": {str(k): name for k, name in enumerate(classes)}} if labels == "class" else {}
    return CARD.format(
        metadata=yaml.safe_dump(license_ | {"tags": METADATA["tags"]}, sort_keys=False),
        count=count,
        images=count * per_fractal,
        per_fractal=per_fractal,
        size=content.settings["image_size"],
        kind="in color" if colored else "in grayscale",
        labels=LABELS[labels],
        transforms=transforms,
        version=escaped(version),
        sections="".join(section(title, values) for title, values in (named | tables).items()),
        license=LICENSE if learned else NO_LICENSE,
    )
