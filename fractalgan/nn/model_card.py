"""The model card of fractals: the README.md of their repository on the Hugging Face Hub."""

import yaml

from fractalgan.nn.card_tables import escaped, section
from fractalgan.storage.fractal_content import FractalFile
from fractalgan.storage.hub import LIBRARY

PICTURE = "fractals.png"
PAPER = "https://arxiv.org/abs/2303.12722"
METADATA = {
    "library_name": LIBRARY,
    "tags": ["fractals", "iterated-function-systems", "formula-driven-supervised-learning"],
}
CARD = """\
---
{metadata}---

# {title}

{count} fractals, each an iterated function system of {transforms} affine transforms: an endless source of
images to pre-train a network on, or to look at.{origin}

![the fractals]({picture})

## How to use them

```python
from fractalgan import FractalGenerator  # pip install 'fractalgan[hub]'

generator = FractalGenerator.from_pretrained("{repository}")
images = generator.draw([0])  # a fresh image [1, {channels}, {size}, {size}] of fractal 0
poster = generator.draw(0, size=512)
A, b = generator.embedding()  # the transforms
```

```sh
python -m fractalgan fit --config pretraining.yaml --model.fractals {repository}
```
{sections}
## License

{license}
"""

LEARNED = f""" They were learned by gradient descent, as in
[Learning Fractals by Gradient Descent]({PAPER}) (Tu et al., AAAI 2023)."""
LICENSE_OF_LEARNED = "MIT, for these numbers. The data that they were learned from has a license of its own."
NO_LICENSE = "No license is recorded: these fractals were not learned by fractalgan. Say here what theirs is."


def model_card(content: FractalFile, repository: str) -> str:
    """A model card that says what a file of fractals says of their origin.

    Args:
        content: the fractals.
        repository: the name to load them by, ``user/name``, as the Hub has accepted it.

    Returns:
        Markdown after a YAML header, with all values of the file escaped.
    """
    known = dict(content.provenance)
    data, recipe, scores = (known.pop(name, None) for name in ("data", "recipe", "scores"))
    name = data.get("name") if isinstance(data, dict) else data
    features = content.parameters.get("features.values")
    count, transforms, _ = content.parameters["b"].shape
    learned = was_learned(content)
    license_ = {"license": "mit"} if learned else {}
    tables = {"Data": data, "Recipe": recipe, "Training": known, "Drawing": content.settings}
    return CARD.format(
        metadata=yaml.safe_dump(license_ | METADATA, sort_keys=False),
        title="Fractals" if name is None else f"Fractals learned from {escaped(name)}",
        count=count,
        transforms=transforms,
        origin=LEARNED if learned else "",
        license=LICENSE_OF_LEARNED if learned else NO_LICENSE,
        picture=PICTURE,
        repository=repository,
        channels=1 if features is None else features.shape[2],
        size=content.settings["image_size"],
        sections="".join(section(title, values) for title, values in (tables | {"Scores": scores}).items()),
    )


def was_learned(content: FractalFile) -> bool:
    """Whether fractalgan learned the fractals of a file, as far as it says."""
    return content.provenance.get("data") is not None or "step" in content.provenance
