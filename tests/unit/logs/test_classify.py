"""Codes of errors: by type, by text, by what an error wraps; and no exception of Python's own without the right one."""

import builtins
import importlib
from typing import Any

import pytest

from k12ai_ws.logs.classify import code_of, message_of
from k12ai_ws.wire.codes import Code

BASES = {
    MemoryError: Code.OUT_OF_MEMORY,
    NotImplementedError: Code.NOT_IMPLEMENTED,
    FileNotFoundError: Code.FILE_NOT_FOUND,
    ImportError: Code.MODULE_NOT_FOUND,
    IndexError: Code.INDEX_ERROR,
    NameError: Code.NAME_ERROR,
    KeyError: Code.KEY_ERROR,
    AttributeError: Code.ATTRIBUTE_ERROR,
    IndentationError: Code.INDENTATION_ERROR,
    SyntaxError: Code.SYNTAX_ERROR,
    TypeError: Code.TYPE_ERROR,
    ValueError: Code.VALUE_ERROR,
    AssertionError: Code.ASSERTION,
    ZeroDivisionError: Code.ZERO_DIVISION,
    FloatingPointError: Code.LOSS_NOT_FINITE,
}


def error(kind: str, text: str = "", **more: Any) -> dict[str, Any]:
    return {"exc_type": kind, "exc_text": text, "traceback": [], "chain": [], **more}


@pytest.mark.parametrize(
    "kind", [k for k in vars(builtins).values() if isinstance(k, type) and issubclass(k, Exception)]
)
def test_what_python_derives_from_a_type_has_its_code(kind: type[Exception]) -> None:
    base = next((base for base in kind.__mro__ if base in BASES), None)
    if base is not None:
        assert code_of(error(kind.__name__)) == BASES[base]


MODULES = ("json", "subprocess", "zipfile", "tomllib", "configparser", "concurrent.futures", "importlib.metadata",
           "dataclasses", "zoneinfo", "decimal", "statistics", "io", "xml.etree.ElementTree", "zipimport")  # fmt: skip


def derived(base: type[BaseException]) -> set[type[BaseException]]:
    return {base}.union(*(derived(kind) for kind in base.__subclasses__()))


def test_so_has_what_the_standard_library_derives() -> None:
    for module in MODULES:
        importlib.import_module(module)
    wrong = []
    for kind in derived(Exception):
        base = next((base for base in kind.__mro__ if base in BASES), None)
        if kind.__module__ not in MODULES or kind.__name__.startswith("_") or base is None:
            continue
        found = code_of(error(f"{kind.__module__}.{kind.__qualname__}"))
        if found != BASES[base]:
            wrong.append(f"{kind.__module__}.{kind.__qualname__} is a {base.__name__}, and has {found!r}")
    assert not wrong


@pytest.mark.parametrize(
    ("kind", "code"),
    [
        ("torch.OutOfMemoryError", Code.GPU_OUT_OF_MEMORY),
        ("torch.cuda.OutOfMemoryError", Code.GPU_OUT_OF_MEMORY),
        ("cupy.cuda.memory.OutOfMemoryError", Code.GPU_OUT_OF_MEMORY),
        ("ray.exceptions.OutOfMemoryError", Code.OUT_OF_MEMORY),
        ("yaml.scanner.ScannerError", Code.CONFIGURATION),
        ("yaml.parser.ParserError", Code.CONFIGURATION),
        ("pandas.errors.ParserError", Code.VALUE_ERROR),
        ("configparser.NoOptionError", Code.CONFIGURATION_KEY_MISSING),
        ("omegaconf.errors.ConfigKeyError", Code.CONFIGURATION_KEY_MISSING),
        ("subprocess.CalledProcessError", Code.COMMAND_FAILED),
        ("subprocess.TimeoutExpired", Code.COMMAND_FAILED),
        ("concurrent.futures.process.BrokenProcessPool", Code.KILLED_BY_SIGNAL),
        ("KeyboardInterrupt", Code.KILLED_BY_SIGNAL),
        ("huggingface_hub.errors.LocalEntryNotFoundError", Code.FILE_NOT_FOUND),
        ("tensorflow.python.framework.errors_impl.NotFoundError", Code.FILE_NOT_FOUND),
        ("elasticsearch.NotFoundError", Code.UNKNOWN),
        ("safetensors_rust.SafetensorError", Code.MODEL_BROKEN),
        ("numpy.exceptions.AxisError", Code.VALUE_ERROR),
        ("numpy._core._exceptions._UFuncNoLoopError", Code.TYPE_ERROR),
        ("jax.errors.TracerBoolConversionError", Code.TYPE_ERROR),
        ("lab.ParamValueError", Code.VALUE_ERROR),
        ("lab.ApiKeyError", Code.UNKNOWN),
        ("lab.HostNameError", Code.UNKNOWN),
        ("ConnectionResetError", Code.UNKNOWN),
        ("ssl.SSLCertVerificationError", Code.UNKNOWN),
        ("TimeoutError", Code.UNKNOWN),
        ("SystemExit", Code.UNKNOWN),
        ("lab.Whatever", Code.UNKNOWN),
        ("AbortedByUser", Code.UNKNOWN),
        ("", Code.UNKNOWN),
    ],
)
def test_the_code_of_a_type(kind: str, code: Code) -> None:
    assert code_of(error(kind)) == code


@pytest.mark.parametrize(
    ("language", "kind", "text", "code"),
    [
        ("shell", "Killed", "12 Killed", Code.KILLED_BY_SIGNAL),
        ("cpp", "std::bad_alloc", "std::bad_alloc", Code.OUT_OF_MEMORY),
        ("cpp", "c10::Error", "CUDA out of memory. Tried to allocate 1 GiB", Code.GPU_OUT_OF_MEMORY),
        ("cuda", "CUDA assertion", "t >= 0 && t < n_classes", Code.ASSERTION),
        ("shell", "CommandNotFound", "foo: not found", Code.COMMAND_FAILED),
        ("shell", "UsageError", "x.py: error: the following arguments are required: --a", Code.CONFIGURATION),
        ("slurm", "TimeLimit", "", Code.TIME_LIMIT),
        ("slurm", "Preempted", "", Code.PREEMPTED),
        ("java", "java.lang.ArrayIndexOutOfBoundsException", "5", Code.INDEX_ERROR),
        ("java", "java.lang.IllegalStateException", "", Code.UNKNOWN),
        ("go", "panic", "runtime error: index out of range [5] with length 3", Code.INDEX_ERROR),
        ("javascript", "Error", "Cannot find module 'x'", Code.MODULE_NOT_FOUND),
    ],
)
def test_the_code_of_what_is_not_python(language: str, kind: str, text: str, code: Code) -> None:
    assert code_of(error(kind, text, language=language)) == code


def test_advice_for_python_is_not_given_to_others() -> None:
    for kind in ("SyntaxError", "ZeroDivisionError", "IndexError", "TypeError"):
        assert message_of(error(kind, "Unexpected token", language="javascript"), "en") is None


class TestWhatWrapsAnother:
    INNER = (
        'Caught KeyError in DataLoader worker process 0.\nOriginal Traceback (most recent call last):\n  File "/x.py", '
    )

    def test_a_worker_of_a_data_loader(self) -> None:
        text = self.INNER + "line 3, in f\n    d['label']\nKeyError: 'label'\n"
        assert "under the key 'label'" in (message_of(error("KeyError", text), "en") or "")

    def test_a_spawned_process(self) -> None:
        text = (
            "\n\n-- Process 0 terminated with the following error:\nTraceback (most recent call last):\n"
            '  File "/x.py", line 3, in f\n    g()\n'
            "RuntimeError: mat1 and mat2 shapes cannot be multiplied (4x8 and 10x2)\n"
        )
        detail = error("torch.multiprocessing.spawn.ProcessRaisedException", text)
        assert code_of(detail) == Code.VALUE_ERROR
        assert "got 4x8" in (message_of(detail, "en") or "")

    def test_a_remote_task(self) -> None:
        assert code_of(error("ray.exceptions.RayTaskError(KeyError)", "ray::f()")) == Code.KEY_ERROR

    def test_an_error_of_which_nothing_is_known_speaks_by_its_cause(self) -> None:
        memory = error("torch.OutOfMemoryError", "CUDA out of memory. Tried to allocate 2.00 GiB", relation="cause")
        wrapped = error("lab.TrainingFailed", "epoch 3 failed", chain=[memory])
        assert code_of(wrapped) == Code.GPU_OUT_OF_MEMORY
        assert "2.00 GiB" in (message_of(wrapped, "en") or "")

    def test_other_codes_are_not_taken_from_a_cause(self) -> None:
        wrapped = error("lab.TrainingFailed", "x", chain=[error("KeyError", "'a'", relation="cause")])
        assert code_of(wrapped) == Code.UNKNOWN
        assert "'a'" in (message_of(wrapped, "en") or "")

    def test_what_an_error_merely_came_after_says_nothing(self) -> None:
        later = error("lab.TrainingFailed", "x", chain=[error("MemoryError", "", relation="context")])
        assert (code_of(later), message_of(later, "en")) == (Code.UNKNOWN, None)

    def test_a_group_of_one_kind_has_its_code(self) -> None:
        both = [error("KeyError", "'a'"), error("KeyError", "'b'")]
        assert code_of(error("ExceptionGroup", "two (2 sub-exceptions)", group=both)) == Code.KEY_ERROR
        assert "'a'" in (message_of(error("ExceptionGroup", "two", group=both), "en") or "")
        mixed = [error("KeyError", "'a'"), error("TypeError", "x")]
        assert code_of(error("ExceptionGroup", "two (2 sub-exceptions)", group=mixed)) == Code.UNKNOWN

    @pytest.mark.parametrize(
        "text",
        [
            "Traceback (most recent call last):",
            "x\nTraceback (most recent call last):\n  File",
            "Traceback (most recent call last):\n\n\n:::",
        ],
    )
    def test_a_traceback_cut_short_harms_nothing(self, text: str) -> None:
        assert code_of(error("ValueError", text)) == Code.VALUE_ERROR
