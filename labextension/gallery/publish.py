# ruff: noqa: INP001 - a script
"""The pictures that docs/screens/README.md shows, from build/gallery, small enough to be kept.

`NAME.THEME-WIDTH.png` is the picture of a state in the gallery, `real.NAME.png` one of a real notebook.
"""

import re
import sys
from pathlib import Path
from typing import Any

from PIL import Image

ROOT = Path(__file__).parents[2]
GALLERY, SCREENS = ROOT / "build" / "gallery", ROOT / "docs" / "screens"
MOST, MOST_OF_ALL = 60_000, 2_000_000  # bytes
COLOURS = (256, 128, 64, 32, 16)


def names() -> list[str]:
    """The pictures that are shown."""
    return sorted(set(re.findall(r"\(([\w.-]+\.png)\)", (SCREENS / "README.md").read_text("utf-8"))))


def keep(name: str) -> int:
    """Keep a picture with as many colours as there is room for; its bytes."""
    folder, _, picture = name.partition(".")
    image = without_emptiness(Image.open(GALLERY / folder / picture).convert("RGB"))
    for colours in COLOURS:
        with_palette(image, colours).save(SCREENS / name, optimize=True)
        if (SCREENS / name).stat().st_size <= MOST:
            break
    return (SCREENS / name).stat().st_size


def with_palette(image: Image.Image, colours: int) -> Image.Image:
    """The picture in the colours that it has most of, as they are: pages have few, and grey is to stay grey."""
    counted: list[Any] = sorted(image.getcolors(image.width * image.height) or [], reverse=True)[:colours]
    palette = Image.new("P", (1, 1))
    palette.putpalette([part for _, colour in counted for part in colour])
    return image.quantize(palette=palette, dither=Image.Dither.NONE)


def without_emptiness(image: Image.Image) -> Image.Image:
    """A picture of a page without what is empty between its last row that says something and its end."""
    rows = [image.crop((130, y, image.width - 60, y + 1)).tobytes() for y in range(image.height - 60)]
    if image.height < 900 or image.width < 600:
        return image
    last = max((y for y, row in enumerate(rows) if y and row != rows[-1]), default=image.height)
    return image.crop((0, 0, image.width, min(image.height, last + 40)))


def main() -> int:
    """Keep them all, and nothing else; 1 when they are too large."""
    wanted = names()
    for old in SCREENS.glob("*.png"):
        if old.name not in wanted:
            old.unlink()
    sizes = {name: keep(name) for name in wanted}
    wrong = [f"{name}: {size:,} bytes" for name, size in sizes.items() if size > MOST]
    wrong += [f"all: {sum(sizes.values()):,} bytes"] if sum(sizes.values()) > MOST_OF_ALL else []
    sys.stderr.write("".join(f"{line}\n" for line in wrong))
    return 1 if wrong else 0


if __name__ == "__main__":
    sys.exit(main())
