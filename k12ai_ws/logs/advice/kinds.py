"""Types of exceptions, and the code of the contract that each has.

A type that is derived from one of Python's own has that one's code, wherever the library that defines it lives: what
a program may catch by one name is one kind of error. (One is left out: SSLCertVerificationError is a ValueError to
Python, but a matter of the network.) Read from the classes of CPython 3.8 to 3.14, numpy, pandas, scikit-learn,
PyTorch, TensorFlow, Keras, JAX, XGBoost, pyarrow, datasets, huggingface_hub, PyYAML and OmegaConf.
"""

import re
from collections.abc import Mapping

from k12ai_ws.wire.codes import Code

_NAMES: Mapping[Code, str] = {
    Code.OUT_OF_MEMORY: "MemoryError _ArrayMemoryError ArrowMemoryError NodeDiedError",
    Code.NOT_IMPLEMENTED: "NotImplementedError AbstractMethodError ArrowNotImplementedError UnimplementedError",
    Code.CONFIGURATION: """
        YAMLError MarkedYAMLError ScannerError ParserError:yaml ComposerError ConstructorError ReaderError:yaml
        ParsingError MissingSectionHeaderError DuplicateOptionError DuplicateSectionError InterpolationError
        ArgumentError ArgumentTypeError UsageError ConfigCompositionException MissingConfigException
        ConfigTypeError ConfigValueError
    """,
    Code.CONFIGURATION_KEY_MISSING: """
        NoSectionError NoOptionError ConfigAttributeError ConfigKeyError MissingMandatoryValue
    """,
    Code.FILE_NOT_FOUND: """
        FileNotFoundError NotADirectoryError LocalEntryNotFoundError DatasetNotFoundError DataFilesNotFoundError
        EmptyDatasetError FileNotFoundDatasetsError IncompleteSnapshotError ExecutableNotFoundError EntryNotFoundError
        RepositoryNotFoundError NotFoundError:tensorflow
    """,
    Code.GPU_OUT_OF_MEMORY: "OutOfMemoryError:torch OutOfMemoryError:cupy",
    Code.LOSS_NOT_FINITE: "FloatingPointError",
    Code.COMMAND_FAILED: """
        CalledProcessError TimeoutExpired SubprocessError ChildFailedError ChildProcessError
    """,
    Code.MODULE_NOT_FOUND: "ModuleNotFoundError ImportError PackageNotFoundError ZipImportError DistributionNotFound",
    Code.INDEX_ERROR: "IndexError ArrowIndexError OutOfBounds",
    Code.NAME_ERROR: "NameError UnboundLocalError UndefinedVariableError PydanticUndefinedAnnotation",
    Code.KEY_ERROR: """
        KeyError ArrowKeyError UnsortedIndexError ColumnNotFoundError ZoneInfoNotFoundError TqdmKeyError
        FormattedKeyError
    """,
    Code.ATTRIBUTE_ERROR: "AttributeError FrozenInstanceError OptionError ModuleAttributeError",
    Code.SYNTAX_ERROR: "SyntaxError ParseError:xml _IncompleteInputError",
    Code.INDENTATION_ERROR: "IndentationError TabError",
    Code.TYPE_ERROR: """
        TypeError UFuncTypeError _UFuncNoLoopError _UFuncBinaryResolutionError _UFuncCastingError
        _UFuncInputCastingError _UFuncOutputCastingError DTypePromotionError ArrowTypeError TqdmTypeError
        FloatOperation
        OperatorNotAllowedInGraphError TracerBoolConversionError TracerArrayConversionError
        TracerIntegerConversionError ConcretizationTypeError NonConcreteBooleanIndexError:jax IncompatibleFrequency
    """,
    Code.VALUE_ERROR: """
        ValueError JSONDecodeError TOMLDecodeError UnicodeError UnicodeDecodeError UnicodeEncodeError
        UnicodeTranslateError OverflowError UnsupportedOperation AxisError LinAlgError NotFittedError
        InvalidParameterError EmptyDataError ParserError MergeError IntCastingNaNError OutOfBoundsDatetime
        OutOfBoundsTimedelta DateParseError DuplicateLabelError ArrowInvalid ArrowCapacityError CastError
        SchemaInferenceError SplitsNotFoundError InvalidConfigName XGBoostError HFValidationError BadRequestError
        InvalidURL MissingSchema InvalidSchema StatisticsError NarwhalsError ShapeError
        ValidationError InvalidArgumentError InvalidVersion InvalidRequirement UnidentifiedImageError
        DecompressionBombError InvalidFileException UnsetMetadataPassedError
    """,
    Code.ASSERTION: "AssertionError",
    Code.KILLED_BY_SIGNAL: "KeyboardInterrupt BrokenProcessPool TerminatedWorkerError WorkerCrashedError",
    Code.TIME_LIMIT: "FunctionTimedOut",
    Code.ZERO_DIVISION: "ZeroDivisionError DivisionByZero DivisionUndefined",
    Code.MODEL_BROKEN: "SafetensorError",
}
"""Names without modules; `name:package` for a name that means this in that package alone."""

_FOREIGN: Mapping[Code, str] = {
    Code.KILLED_BY_SIGNAL: """
        Segmentation·fault Bus·error Illegal·instruction Floating·point·exception Aborted Killed Terminated JobCancelled
    """,
    Code.OUT_OF_MEMORY: "std::bad_alloc OutOfMemory OutOfMemoryError MemoryError NoMemoryError",
    Code.ASSERTION: "Assertion Check·failed CUDA·assertion AssertionError",
    Code.COMMAND_FAILED: """
        CommandNotFound PermissionDenied NotExecutable MakeError ProcessFailed MPI_ABORT PipError GitError
        ContainerRefused
    """,
    Code.FILE_NOT_FOUND: "NoSuchFile FileNotFoundException NoSuchFileException",
    Code.SYNTAX_ERROR: "ShellSyntaxError SyntaxError ParseError",
    Code.NAME_ERROR: "UnboundVariable ReferenceError UndefVarError NameError",
    Code.MODULE_NOT_FOUND: """
        LibraryNotFound GlibcTooOld ModuleNotFound ClassNotFoundException NoClassDefFoundError LoadError
        ModuleNotFoundError
    """,
    Code.CONFIGURATION: "UsageError",
    Code.TIME_LIMIT: "TimeLimit",
    Code.PREEMPTED: "Preempted",
    Code.INDEX_ERROR: """
        IndexOutOfBoundsException ArrayIndexOutOfBoundsException StringIndexOutOfBoundsException BoundsError IndexError
        RangeError IndexOutOfRangeException std::out_of_range
    """,
    Code.VALUE_ERROR: """
        IllegalArgumentException NumberFormatException ArgumentError ArgumentException std::invalid_argument DomainError
        std::domain_error std::length_error FormatException
    """,
    Code.TYPE_ERROR: "TypeError ClassCastException InvalidCastException MethodError",
    Code.KEY_ERROR: "KeyError KeyNotFoundException",
    Code.ATTRIBUTE_ERROR: "NoMethodError NoSuchMethodError NoSuchFieldError",
    Code.ZERO_DIVISION: "ZeroDivisionError DivideByZeroException DivideError",
    Code.NOT_IMPLEMENTED: "NotImplementedError UnsupportedOperationException NotImplementedException",
}
"""What other languages' programs, the shell and the system say; `·` stands for a space."""


def _table(names: Mapping[Code, str]) -> Mapping[str, Code]:
    return {name.replace("·", " "): code for code, words in names.items() for name in words.split()}


_PYTHON = _table(_NAMES)
_OTHERS = _table(_FOREIGN)
_ENDINGS = re.compile(
    r"(?<=[a-z0-9_])(ValueError|MemoryError|FileNotFoundError|ModuleNotFoundError|ImportError|AssertionError"
    r"|NotImplementedError|SyntaxError|ZeroDivisionError|AttributeError|IndexError)$"
)
"""A program's own types, such as `ConfigValueError`: the log does not show what they are derived from, but names do.
`KeyError`, `TypeError` and `NameError` are not among them (`ApiKeyError`, `ContentTypeError`, `HostNameError`).
"""


def code_of_type(kind: str, *, foreign: bool = False) -> Code | None:
    """The code that an exception's type alone tells, or None. `kind` may have its module before it."""
    if foreign:
        return _OTHERS.get(kind) or _OTHERS.get(kind.rpartition(".")[2])
    package, _, name = kind.rpartition(".")
    package = package.partition(".")[0]
    found = _PYTHON.get(f"{name}:{package}") if package else None
    if found is None:
        found = _PYTHON.get(name)
    if found is None and (ending := _ENDINGS.search(name)):
        found = _PYTHON[ending[1]]
    return found
