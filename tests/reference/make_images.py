"""Images as Pillow writes them, with the pixels that it reads from them: writes images.json, bytes in hexadecimal.

Run with any Python that has numpy and pillow: python tests/reference/make_images.py
"""

import io
import json
import pathlib

import numpy as np
from PIL import Image

rng = np.random.default_rng(5)
images, sizes = [], []


def smooth(height, width, channels):
    y, x = np.mgrid[0:height, 0:width]
    waves = [np.sin(0.3 * x + c) + np.cos(0.2 * y + 0.1 * x * c) for c in range(channels)]
    return np.stack([127 + 60 * w for w in waves], -1).astype(np.uint8)


def add(name, image, kind, expected, **options):
    file = io.BytesIO()
    image.save(file, kind, **options)
    if expected is None:
        expected = np.asarray(Image.open(io.BytesIO(file.getvalue())))
    images.append({"name": name, "bytes": file.getvalue().hex(), "shape": list(expected.shape),
                   "pixels": expected.astype(np.uint8).tobytes().hex()})


grey = smooth(9, 7, 1)[..., 0]
colour = smooth(8, 11, 3)
alpha = rng.integers(0, 256, (8, 11, 1), dtype=np.uint8)
on_white = (colour.astype(int) * alpha + 255 * (255 - alpha.astype(int)) + 127) // 255
bits = rng.integers(0, 2, (5, 13), dtype=np.uint8)
wide = rng.integers(0, 65536, (4, 6), dtype=np.uint16)
palette = Image.fromarray(colour).quantize(16)
transparent = Image.fromarray(grey).convert("P")

add("grey.png", Image.fromarray(grey), "PNG", grey)
add("colour.png", Image.fromarray(colour), "PNG", colour)
add("alpha.png", Image.fromarray(np.concatenate([colour, alpha], -1), "RGBA"), "PNG", on_white)
add("bits.png", Image.fromarray(bits * 255).convert("1"), "PNG", bits * 255)
add("palette.png", palette, "PNG", np.asarray(palette.convert("RGB")))
add("wide.png", Image.fromarray(wide), "PNG", np.floor(wide.astype(float) * 255 / 65535 + 0.5))
add("grey.jpg", Image.fromarray(smooth(20, 17, 1)[..., 0]), "JPEG", None, quality=90)
add("colour.jpg", Image.fromarray(smooth(19, 33, 3)), "JPEG", None, quality=85)
add("progressive.jpg", Image.fromarray(smooth(24, 16, 3)), "JPEG", None, quality=70, progressive=True, subsampling=0)
print_kind = io.BytesIO()
Image.fromarray(smooth(8, 8, 4), "CMYK").save(print_kind, "JPEG")

source = smooth(23, 31, 3)
for height, width in [(8, 8), (23, 10), (40, 64), (7, 31)]:
    # Pillow rounds the weights to 2^-22 and the rows in between to bytes: equal to within one step.
    small = np.asarray(Image.fromarray(source).resize((width, height), Image.BILINEAR))
    sizes.append({"shape": [height, width], "pixels": small.tobytes().hex()})

text = json.dumps({"images": images, "four_colours": print_kind.getvalue().hex(),
                   "source": {"shape": list(source.shape), "pixels": source.tobytes().hex()}, "resized": sizes},
                  indent=0)
pathlib.Path(__file__).with_name("images.json").write_text(text + "\n")
