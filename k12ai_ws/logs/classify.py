"""What an exception means: its code in the contract's table, and one sentence that helps."""

import re
from collections.abc import Mapping

from k12ai_ws.wire.bodies import Json
from k12ai_ws.wire.codes import Code, Language

from .advice import ADVICE

_BY_TYPE: Mapping[str, Code] = {
    "MemoryError": Code.OUT_OF_MEMORY,
    "OutOfMemoryError": Code.GPU_OUT_OF_MEMORY,
    "NotImplementedError": Code.NOT_IMPLEMENTED,
    "FileNotFoundError": Code.FILE_NOT_FOUND,
    "CalledProcessError": Code.COMMAND_FAILED,
    "ModuleNotFoundError": Code.MODULE_NOT_FOUND,
    "ImportError": Code.MODULE_NOT_FOUND,
    "IndexError": Code.INDEX_ERROR,
    "NameError": Code.NAME_ERROR,
    "UnboundLocalError": Code.NAME_ERROR,
    "KeyError": Code.KEY_ERROR,
    "AttributeError": Code.ATTRIBUTE_ERROR,
    "SyntaxError": Code.SYNTAX_ERROR,
    "IndentationError": Code.INDENTATION_ERROR,
    "TabError": Code.INDENTATION_ERROR,
    "TypeError": Code.TYPE_ERROR,
    "ValueError": Code.VALUE_ERROR,
    "JSONDecodeError": Code.VALUE_ERROR,
    "UnicodeDecodeError": Code.VALUE_ERROR,
    "UnicodeEncodeError": Code.VALUE_ERROR,
    "ValidationError": Code.VALUE_ERROR,
    "AssertionError": Code.ASSERTION,
    "ZeroDivisionError": Code.ZERO_DIVISION,
    "FloatingPointError": Code.LOSS_NOT_FINITE,
}
_OPERAND = re.compile(r"unsupported operand type|can only concatenate|bad operand type|not supported between instances")
_GPU_MEMORY = re.compile(r"CUDA out of memory|CUDA error: out of memory|CUBLAS_STATUS_ALLOC_FAILED|HIP out of memory")
_SIGNAL = re.compile(
    r"Segmentation fault|Aborted|Bus error|Illegal instruction|Floating[- ]point exception", re.IGNORECASE
)


def code_of(detail: Mapping[str, Json]) -> Code:
    """The code of an error, from its exception's type and text."""
    name = str(detail.get("exc_type") or "").rpartition(".")[2]
    text = str(detail.get("exc_text") or "")
    if _GPU_MEMORY.search(text):
        return Code.GPU_OUT_OF_MEMORY
    if name == "OutOfMemoryError" and "CUDA" not in text and "GPU" not in text:
        return Code.OUT_OF_MEMORY
    if name == "TypeError" and _OPERAND.search(text):
        return Code.OPERAND_TYPE
    if "DefaultCPUAllocator: can't allocate memory" in text or ("Unable to allocate" in text and "Memory" in name):
        return Code.OUT_OF_MEMORY
    if text.startswith("Fatal Python error") or _SIGNAL.match(name):
        return Code.KILLED_BY_SIGNAL
    return _BY_TYPE.get(name, Code.UNKNOWN)


def message_of(detail: Mapping[str, Json], language: Language) -> str | None:
    """One sentence on what usually causes this error and what to try, or None where nothing useful is known."""
    name = str(detail.get("exc_type") or "").rpartition(".")[2]
    text = str(detail.get("exc_text") or "")[:4000]
    for advice in ADVICE:
        if (not advice.types or name in advice.types) and (match := advice.pattern.search(text)):
            return _filled(advice.zh if language == "zh" else advice.en, match)
    return None


def _filled(sentence: str, match: re.Match[str]) -> str:
    """The sentence with `{1}` and its like replaced by what the pattern found."""
    return re.sub(r"\{(\d)\}", lambda place: (match[int(place[1])] or "").strip()[:200], sentence)
