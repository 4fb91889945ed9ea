"""The part of a message that reports: without paths, addresses, settings, and what is said of files and plans."""

import re

_WORD = re.compile(r"[^\s'\"]+")
_PATH = re.compile(r"[('\"\[=]{0,3}(?:[a-z][a-z0-9+]{1,9}://|~/|\.{0,2}/\w)", re.IGNORECASE)
_FILE = re.compile(
    r"\.(?:ckpt|pth?|tar|keras|h5|hdf5|safetensors|onnx|pkl|joblib|npz|npy|bin|json|ya?ml|csv|txt|log|png|py|model|gz|zip|cu|cuh|cpp|cc|hpp|java|sh)"
    r"(?![\w.])",
    re.IGNORECASE,
)
_BUILT = re.compile(r"\b([A-Z]\w{0,60})\((?=\w{1,40}=)")
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
    if "." in text or "/" in text:
        text = _WORD.sub(_blank_path, text)
    if "(" in text and (built := _BUILT.search(text)) and not _RESULT.search(built[1]):
        text = text[: built.start()] + " " * (len(text) - built.start())
    if deed := _DEED.search(text):
        text = text[: deed.start()] + " " * (len(text) - deed.start())
    if "=" in text and _is_settings(text):
        return " " * len(text)
    return text


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
