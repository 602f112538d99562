"""Images of Japanese characters: thin strokes, and many kinds.

    apt-get install fonts-ipafont fonts-vlgothic fonts-sawarabi-gothic fonts-sawarabi-mincho fonts-kiloji \\
        fonts-motoya-l-cedar fonts-motoya-l-maruberi fonts-seto fonts-yozvox-yozfont fonts-kouzan-mouhitsu
    python benchmarks/glyphs.py /tmp/glyphs
    python -m fractalgan fit --config gan_folder.yaml --data.root /tmp/glyphs

Hiragana and katakana in every font that is found, bright on dark, each image with a small affine change of
its own: one sub-folder per character, without those katakana that look like a hiragana. Prints one JSON line.
"""

import argparse
import json
import random
import subprocess
from pathlib import Path

from PIL import Image, ImageDraw, ImageFont

HIRAGANA = "あいうえおかきくけこさしすせそたちつてとなにぬねのはひふへほまみむめもやゆよらりるれろわをん"
KATAKANA = "アイウエオカキクケコサシスセソタチツテトナニヌネノハヒフホマミムメモヤユヨラルレロワヲン"
SIZE = 64  # pixels of an image
INK = 46  # pixels of the longer side of a character before its affine change
MAX_ANGLE, MAX_SHEAR, SCALES = 8.0, 0.12, (0.88, 1.08)  # degrees, ratio, ratios
MAX_SHIFT = 3.0  # pixels


def fonts() -> list[str]:
    """The files of all fonts for Japanese text, one for each family, in alphabetical order."""
    listed = subprocess.run(
        ["fc-list", ":lang=ja:scalable=true", "family", "file"], capture_output=True, text=True, check=True
    ).stdout
    families: dict[str, str] = {}
    for line in sorted(listed.splitlines()):
        file, _, family = line.partition(": ")
        families.setdefault(family.split(",")[0].strip(), file)
    return sorted(families.values())


def glyph(character: str, font: ImageFont.FreeTypeFont) -> Image.Image | None:
    """The character in the middle of a square, white on black; None if the font draws nothing for it."""
    canvas = Image.new("L", (4 * SIZE, 4 * SIZE))
    ImageDraw.Draw(canvas).text((SIZE, SIZE), character, 255, font)
    box = canvas.getbbox()
    if box is None:
        return None
    ink = canvas.crop(box)
    scale = INK / max(ink.size)
    ink = ink.resize((max(1, round(ink.width * scale)), max(1, round(ink.height * scale))))
    image = Image.new("L", (SIZE, SIZE))
    image.paste(ink, ((SIZE - ink.width) // 2, (SIZE - ink.height) // 2))
    return image


def changed(image: Image.Image, numbers: random.Random) -> Image.Image:
    """The image after a small random rotation, shear, scaling and shift about its center."""
    turned = image.rotate(numbers.uniform(-MAX_ANGLE, MAX_ANGLE), Image.Resampling.BICUBIC)
    shear, scale = numbers.uniform(-MAX_SHEAR, MAX_SHEAR), 1 / numbers.uniform(*SCALES)
    right, down = (numbers.uniform(-MAX_SHIFT, MAX_SHIFT) for _ in range(2))
    middle = SIZE / 2
    matrix = (
        *(scale, scale * shear, middle - scale * (1 + shear) * middle + right),
        *(0, scale, middle - scale * middle + down),
    )
    return turned.transform((SIZE, SIZE), Image.Transform.AFFINE, matrix, Image.Resampling.BICUBIC)


def main() -> None:
    """Write the images, and print how many."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("folder", type=Path, help="the folder to create")
    parser.add_argument("--per_class", type=int, default=100, help="images per character")
    parser.add_argument("--seed", type=int, default=0, help="random seed")
    options = parser.parse_args()
    files = fonts()
    if not files:
        parser.error("found no font for Japanese text: install those named in this script's first lines")
    loaded = [ImageFont.truetype(file, 2 * SIZE) for file in files]
    numbers = random.Random(options.seed)
    for character in HIRAGANA + KATAKANA:
        drawn = [image for font in loaded if (image := glyph(character, font))]
        folder = options.folder / f"{ord(character):04x}"
        folder.mkdir(parents=True)
        for index in range(options.per_class):
            changed(drawn[index % len(drawn)], numbers).save(folder / f"{index:03}.png")
    classes = len(HIRAGANA + KATAKANA)
    print(json.dumps({"classes": classes, "images": classes * options.per_class, "fonts": len(files)}))


if __name__ == "__main__":
    main()
