"""The part of a message that reports: without paths, addresses, settings, and what is said of files and plans."""

import re

from .echoes import without_echoes

_WORD = re.compile(r"[^\s'\"]+")
_PATH = re.compile(r"[('\"\[=]{0,3}(?:[a-z][a-z0-9+]{1,9}://|~/|\.{0,2}/\w)", re.IGNORECASE)
_FILE = re.compile(
    r"\.(?:ckpt|pth?|tar|keras|h5|hdf5|safetensors|onnx|pkl|joblib|npz|npy|bin|json|ya?ml|csv|txt|log|png|py|model|gz|zip|cu|cuh|cpp|cc|hpp|java|sh)"
    r"(?![\w.])",
    re.IGNORECASE,
)
_BUILT = re.compile(r"\b([A-Z]\w{0,60})\((?=\w{1,40}=)")
_TRIED = re.compile(r"(?:\[CV[^\]\n]{0,30}\] )?END [^\n]{0,2000};")
"""The settings that scikit-learn's search tried: `[CV 1/3] END ....C=0.1, kernel=linear;, score=0.960`."""
_BOXED = re.compile(
    r"\b(?:(?:np|numpy|torch|jnp|tf)\.)?(?:tensor|Tensor|Array|float(?:16|32|64)|int(?:32|64)|array)"
    r"\(\[{0,2}(?P<number>[-+]?(?:\d{1,40}(?:\.\d{0,40})?(?:e[-+]?\d{1,4})?|nan|inf))\]{0,2}"
    r"(?P<more>,\s{1,8}\w{1,20}=(?:[^()\n]|\(\d{0,4},?\)){1,80})?\)"
)
"""A number as an array of one: `tensor(0.5234, device='cuda:0', grad_fn=<NllLossBackward0>)`."""
_OF_SO_MANY = re.compile(r" \(\d[\d,]{0,20} (?:test )?(?:images|samples|examples)\)(?=\s{0,4}[:=])")
"""`Test accuracy (10000 images): 91.2%`."""
_NORMALIZER = re.compile(r"[nN]ormalizer: \([^()\n]{0,200}\)")
"""Darknet's constants beside each of its losses."""
_RESULT = re.compile(r"Output|Result|Metric|Score|State|Eval|Record|Stat|Summary|Log|Report|Progress|Step")
"""What a class is called whose print shows what was measured; any other (`Namespace`, `AdamW`) shows settings."""
_DEEDS = """
    loading loaded restoring restored resuming resumed saving saved downloading downloaded writing wrote reading using
    trying removing removed deleting deleted skipping skipped installing installed requirement setting
"""
_DEED = re.compile(
    r"^(?:>>>|\.\.\.|\$) .*"
    rf"|^\W{{0,8}}(?:{'|'.join(_DEEDS.split())})\b.*"
    r"|^\W{0,8}(?:(?:hyper)?param(?:eter)?s?|config(?:uration)?|arg(?:ument)?s|settings) ?:.*"
    r"|\b(?:loading|saving|restoring|resuming) (?:the |best |new |last |latest |current ){0,2}"
    r"(?:model|checkpoint|weights|states?)\b.*",
    re.IGNORECASE | re.DOTALL,
)
"""What a program says of its files and plans."""
_SETTING = re.compile(
    r"(?<![\w.])\w{1,40}=['\"]?(?:True|False|None|(?!(?:nan|inf(?:inity)?)(?!\w))[A-Za-z/])", re.IGNORECASE
)
_LOGFMT = re.compile(r"\b(?:level|msg|event)=")
_POSITION = re.compile(r"\b(?:epoch|step|iter|iteration|round)\b", re.IGNORECASE)


def claims(text: str) -> str:
    """The message with spaces where no measured number can stand; its length stays."""
    text = without_echoes(text)
    if "." in text or "/" in text:
        text = _WORD.sub(_blank_path, text)
    if "END " in text[:40] and (tried := _TRIED.match(text)):
        text = " " * tried.end() + text[tried.end() :]
    if "images)" in text or "samples)" in text or "examples)" in text:
        text = _OF_SO_MANY.sub(_blank, text)
    if "(" in text and _BOXED.search(text):
        text = _BOXED.sub(_blank_box, text)
    if "(" in text and (built := _BUILT.search(text)) and not _RESULT.search(built[1]):
        text = text[: built.start()] + " " * (len(text) - built.start())
    if "ormalizer: (" in text:
        text = _NORMALIZER.sub(_blank, text)
    if deed := _DEED.search(text):
        text = text[: deed.start()] + " " * (len(text) - deed.start())
    if "=" in text and _is_settings(text):
        return " " * len(text)
    return text


def _blank(match: re.Match[str]) -> str:
    return " " * len(match[0])


def _blank_box(box: re.Match[str]) -> str:
    number = box["number"]
    return " " * (box.start("number") - box.start()) + number + " " * (box.end() - box.end("number"))


def _blank_path(word: re.Match[str]) -> str:
    shown = word[0]
    return " " * len(shown) if _PATH.match(shown) or _FILE.search(shown) else shown


def _is_settings(text: str) -> bool:
    """Whether this is a dump of settings: words are assigned too, and no position is named."""
    found = _SETTING.finditer(text)
    return (
        next(found, None) is not None
        and next(found, None) is not None
        and not _LOGFMT.search(text)
        and not _POSITION.search(text)
    )
