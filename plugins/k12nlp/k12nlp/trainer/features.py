"""What the linear model sees of a text: words and character n-grams, hashed, weighted by tf-idf.

Chinese is written without spaces, so a run of Han characters gives its characters and pairs of characters. Other
scripts give their words, and the pieces of each word, which lets `photosynthetic` help with `photosynthesis`.
"""

import re
import unicodedata
from collections.abc import Iterator, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray
from sklearn.feature_extraction.text import HashingVectorizer

BUCKETS = 1 << 16
HAN_GRAMS = (1, 2)
PIECE_GRAMS = (4, 5)

_HAN = re.compile(r"[\u3400-\u9fff]+")
_WORD = re.compile(r"[^\W\d_\u3400-\u9fff]+|\d+")


def grams(text: str) -> Iterator[str]:
    """The n-grams of a text; the prefix says the kind, so that a word and a piece of one never meet.

    >>> list(grams("光 Ice"))
    ['h:光', 'w:ice', 'p:<ice', 'p:ice>', 'p:<ice>']
    """
    text = unicodedata.normalize("NFKC", text).casefold()
    for run in _HAN.findall(text):
        for size in HAN_GRAMS:
            yield from (f"h:{run[at : at + size]}" for at in range(len(run) - size + 1))
    for word in _WORD.findall(text):
        yield f"w:{word}"
        padded = f"<{word}>"
        for size in PIECE_GRAMS:
            yield from (f"p:{padded[at : at + size]}" for at in range(len(padded) - size + 1))


def count(texts: Sequence[str]) -> Any:
    """The damped counts 1 + ln(n) of each text's n-grams: a sparse float32 matrix [texts, BUCKETS]."""
    hashing = HashingVectorizer(analyzer=grams, n_features=BUCKETS, alternate_sign=False, norm=None, dtype=np.float32)
    matrix = hashing.transform(texts)
    matrix.data = 1 + np.log(matrix.data)
    return matrix


def rarity(counts: Any) -> NDArray[np.float32]:
    """The smoothed inverse document frequency of each bucket, [BUCKETS]."""
    texts = counts.shape[0]
    seen = np.bincount(counts.indices, minlength=BUCKETS)
    return np.asarray(np.log((1 + texts) / (1 + seen)) + 1, dtype=np.float32)


def weigh(counts: Any, idf: NDArray[np.float32]) -> Any:
    """The counts times `idf`, each text scaled to length 1. Changes and returns `counts`."""
    counts.data *= idf[counts.indices]
    rows = np.repeat(np.arange(counts.shape[0]), np.diff(counts.indptr))
    squares = np.bincount(rows, weights=counts.data.astype(np.float64) ** 2, minlength=counts.shape[0])
    counts.data /= np.sqrt(squares)[rows].astype(np.float32)
    return counts
