"""One image file → an array: bounded, scaled and coloured as the model wants it."""

import io
import warnings
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
from PIL import Image, ImageOps, UnidentifiedImageError

FORMATS = ("PNG", "JPEG", "BMP", "GIF", "WEBP", "TIFF", "PPM")
"""What may be decoded; Pillow knows stranger formats, one of which starts other programs."""
MAX_PIXELS = 50_000_000
"""Of one image, before scaling: it bounds the memory that a small file can ask for."""


@dataclass(frozen=True, slots=True)
class Look:
    """How images are looked at: `size` pixels square, in `color` `gray` or `rgb`."""

    size: int
    color: str

    @property
    def channels(self) -> int:
        """1 or 3."""
        return 3 if self.color == "rgb" else 1


def decode(data: bytes, look: Look) -> npt.NDArray[np.float32]:
    """The image as float32 0..1 of shape [size, size, channels].

    Turned upright as its camera says, transparency on white. Raises OSError, ValueError or whatever else Pillow's
    decoders raise where `data` is no readable image.
    """
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # decoders grumble about harmless metadata; what is broken raises
        try:
            file = Image.open(io.BytesIO(data), formats=FORMATS)
        except UnidentifiedImageError as error:  # its own text names an object in memory, which helps nobody
            raise ValueError(f"not an image ({', '.join(FORMATS)})") from error
        with file as opened:
            if opened.width * opened.height > MAX_PIXELS:
                raise ValueError(f"{opened.width}x{opened.height} pixels are more than {MAX_PIXELS}")
            image = ImageOps.exif_transpose(opened)
    if image.mode.startswith(("I", "F")):  # 16 bits or more: convert() would clip them
        deep = np.asarray(image, dtype=np.float32)
        image = Image.fromarray((deep * (255 / max(65535.0, float(deep.max(initial=0))))).clip(0, 255).astype(np.uint8))
    if image.has_transparency_data:
        image = Image.alpha_composite(Image.new("RGBA", image.size, "white"), image.convert("RGBA"))
    return _scaled(image.convert("RGB" if look.color == "rgb" else "L"), look)


def from_array(gray: npt.NDArray[np.float32], look: Look) -> npt.NDArray[np.float32]:
    """Gray images [n, h, w] in 0..1, as `look` wants them: [n, size, size, channels]."""
    if gray.shape[1:] != (look.size, look.size):
        gray = np.stack([_scaled_gray(one, look.size) for one in gray * np.float32(255)])
    return np.repeat(gray[..., None], look.channels, axis=3)


def _scaled_gray(pixels: npt.NDArray[np.float32], size: int) -> npt.NDArray[np.float32]:
    """[size, size] of a gray image in 0..255, scaled without rounding to whole levels."""
    scaled = Image.fromarray(pixels).resize((size, size), Image.Resampling.BILINEAR)
    return np.asarray(scaled, dtype=np.float32) / np.float32(255)


def _scaled(image: Image.Image, look: Look) -> npt.NDArray[np.float32]:
    """[size, size, channels]; the bilinear filter averages where it shrinks."""
    scaled = image.resize((look.size, look.size), Image.Resampling.BILINEAR)
    pixels = np.asarray(scaled, dtype=np.float32) / np.float32(255)
    return pixels.reshape(look.size, look.size, look.channels)
