"""What an exception means: its code in the contract's table, and one sentence that helps."""

import re
from collections.abc import Mapping, Sequence
from itertools import islice

from k12ai_ws.wire.bodies import Json
from k12ai_ws.wire.codes import Code, Language

from .advice import BOOK, Advice, AdviceBook, BuiltIn, Said, Spoken, behind, read
from .advice.kinds import code_of_type

MAX_BEHIND = 4
"""So many causes and members of a group are asked where an error says nothing itself."""

_OPERAND = re.compile(
    r"unsupported operand type|can only concatenate|bad operand type|not supported between instances"
    r"|can't multiply sequence by non-int"
)
_GPU_MEMORY = re.compile(
    r"(?:CUDA|HIP|XPU|MPS backend) out of memory|CUDA error: out of memory|CUDA_ERROR_OUT_OF_MEMORY"
    r"|cudaErrorMemoryAllocation|CUBLAS_STATUS_ALLOC_FAILED|OOM when allocating tensor.{0,200}device:GPU"
)
_MEMORY = re.compile(
    r"DefaultCPUAllocator: (?:can't allocate|not enough) memory|Cannot allocate memory|OOM when allocating tensor"
    r"|std::bad_alloc"
)
_SIGNAL = re.compile(
    r"(?:Segmentation fault|Aborted|Bus error|Illegal instruction|Floating[- ]point exception)(?![^ ])", re.IGNORECASE
)
_GROUPS = frozenset({"ExceptionGroup", "BaseExceptionGroup"})


def given_code(code: object) -> int | None:
    """The code that a driver gave for an error, None where it gave none. Raises ValueError for what is none."""
    if code is None:
        return None
    if not isinstance(code, int) or code < Code.KEY_MISSING or code not in set(Code):
        raise ValueError(f"it gave {code!r}, and that is no code of an error; {Code.VALUE_ERROR:d} is one")
    return int(code)


def explain(detail: Mapping[str, Json], language: Language, book: AdviceBook = BOOK) -> tuple[Code, str | None]:
    """The code of an error, and one sentence on what usually causes it and what to try (None: nothing is known).

    The code: by what its text says of memory, then by its type, then by its text, then by its cause. An error of which
    nothing is known speaks by its cause (`raise ... from`), a group by its first member. `book`: the advice to use,
    where a driver has its own.
    """
    said = read(detail)
    spoken = book.spoken(said)
    code = _own_code(said, spoken, book)
    sentence = spoken.advice.say(spoken.match, said, language) if spoken else None
    if sentence is None or code is Code.UNKNOWN:
        codes = []
        for link in islice(behind(detail), MAX_BEHIND):
            inner = read(link)
            told = book.spoken(inner)
            codes.append(_own_code(inner, told, book))
            if sentence is None and told is not None:
                sentence = told.advice.say(told.match, inner, language)
        if code is Code.UNKNOWN:
            code = _code_behind(detail, said, codes)
    return code, sentence


def code_of(detail: Mapping[str, Json], book: AdviceBook = BOOK) -> Code:
    """The code of an error, as `explain` says."""
    return explain(detail, "en", book)[0]


def message_of(detail: Mapping[str, Json], language: Language, book: AdviceBook = BOOK) -> str | None:
    """The sentence on an error, as `explain` says."""
    return explain(detail, language, book)[1]


def book_with(advice: Sequence[Advice]) -> AdviceBook:
    """The advice of a driver before that of this package."""
    return AdviceBook(advice, BOOK) if advice else BOOK


def _own_code(said: Said, spoken: Spoken | None, book: AdviceBook) -> Code:
    text = said.text
    if spoken and spoken.advice.code is not None and not isinstance(spoken.advice, BuiltIn):
        return Code(spoken.advice.code)
    if "memory" in text or "MEMORY" in text or "ALLOC" in text or "OOM" in text or "bad_alloc" in text:
        if _GPU_MEMORY.search(text):
            return Code.GPU_OUT_OF_MEMORY
        if _MEMORY.search(text):
            return Code.OUT_OF_MEMORY
    if text.startswith(("Fatal Python error", "Windows fatal exception")) or _SIGNAL.match(said.name):
        return Code.KILLED_BY_SIGNAL
    if said.name == "TypeError" and not said.foreign and _OPERAND.search(text):
        return Code.OPERAND_TYPE
    code = code_of_type(said.kind, foreign=said.foreign)
    if code is None and said.name == "OutOfMemoryError":
        code = Code.GPU_OUT_OF_MEMORY if "CUDA" in text or "GPU" in text else Code.OUT_OF_MEMORY
    if code is None and spoken is not None:
        if not isinstance(spoken.advice, BuiltIn) and book is not BOOK:  # a driver's words, but no code
            spoken = BOOK.spoken(said)
        if spoken is not None and spoken.advice.code is not None:
            code = Code(spoken.advice.code)
    return Code.UNKNOWN if code is None else code


def _code_behind(detail: Mapping[str, Json], said: Said, codes: Sequence[Code]) -> Code:
    """A group whose members are all of one code has it; and who ran out of memory did, whatever it was wrapped in."""
    if said.name in _GROUPS:
        members = set(codes[: len(detail.get("group") or [])])
        return members.pop() if len(members) == 1 else Code.UNKNOWN
    return next((code for code in codes if code in (Code.GPU_OUT_OF_MEMORY, Code.OUT_OF_MEMORY)), Code.UNKNOWN)
