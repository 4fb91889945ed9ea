"""Random crashes: Python tracebacks of every shape, other languages' traces, launchers' and shells' last words."""

from collections.abc import Callable, Sequence
from random import Random

TYPES = (
    *(
        "ValueError",
        "KeyError",
        "RuntimeError",
        "torch.cuda.OutOfMemoryError",
        "my.pkg.Problem",
        "Interrupt",
        "x.lower",
    ),
    *("KeyboardInterrupt", "SystemExit", "AssertionError", "json.decoder.JSONDecodeError", "StopIteration", "Näme"),
    *(
        "ExceptionGroup",
        "subprocess.CalledProcessError",
        "Error",
        "ModuleNotFoundError",
        "OSError",
        "FloatingPointError",
    ),
)
TEXTS = (
    *(
        "",
        "bad value",
        "'key'",
        "first\nsecond\n\nfourth",
        "   indented",
        "ends with:",
        "No module named 'cv2'",
        "数据错误",
    ),
    "CUDA out of memory. Tried to allocate 2.00 GiB (GPU 0; 7.79 GiB total capacity; 5.1 GiB already allocated)",
    "mat1 and mat2 shapes cannot be multiplied (3x8 and 4x2)",
    "loss: 0.5 acc: 0.7\nepoch=3 loss=0.2",
    '\n"""\nTraceback (most recent call last):\n  File "/p.py", line 4, in f\n    g()\nKeyError: 1\n"""',
    "x" * 300,
    "Caught RuntimeError in DataLoader worker process 0.\nOriginal Traceback (most recent call last):\n"
    '  File "/p.py", line 4, in f\n    g()\nRuntimeError: inner\n',
    "a\n====================\nb\n====================",
)
SOURCES = (
    *("x = f(y)", "raise ValueError('bad value')", "raise KeyError(f'a {b}\\n c')", "", "return self._call(*a, **k)"),
    *("raise RuntimeError(", "assert x == y, 'no'", "    ", "await task", "raise X('first\\nsecond')"),
)
JOINED = (
    "\nDuring handling of the above exception, another exception occurred:\n\n",
    "\nThe above exception was the direct cause of the following exception:\n\n",
)
PREFIXES = (
    *(
        "[rank0]: ",
        "[rank1]: ",
        "[1,3]<stderr>: ",
        "2024-01-02 03:04:05,678 ERROR ",
        "worker-1  | ",
        "(pid=123) ",
        "3: ",
    ),
    *("ERROR:root:", "\x1b[31m", "[default0]:", "> ", "| ", "E1123 15:00:48.123456 99 x.py:3] ", "trainer_0 | "),
)
BEFORE = (
    *("Exception in thread Thread-1 (run):\n", "Exception ignored in: <function f at 0x7f>\n", "ERROR:root:it broke\n"),
    *("Process ForkPoolWorker-1:\n", "2024-01-02 03:04:05,678 ERROR it broke\n", "", "", "", ""),
)
OTHERS = (
    'Exception in thread "main" java.lang.IllegalStateException: bad\n\tat a.C.d(C.java:3)\n\tat a.E.<init>(E.java)\n'
    "Caused by: java.io.IOException: disk\n\t... 3 more\n",
    "panic: runtime error: index out of range [5] with length 3\n\n"
    "goroutine 1 [running]:\nmain.main()\n\t/x.go:3 +0x1d\n"
    "exit status 2\n",
    "thread 'main' panicked at src/main.rs:2:5:\nboom\nnote: run with `RUST_BACKTRACE=1`\n",
    "/app/x.js:3\n  throw new Error('no')\n  ^\n\nError: no\n"
    "    at f (/app/x.js:3:9)\n    at node:internal/main:28:49\n\n"
    "Node.js v18.0.0\n",
    "Error in f(x) : object 'y' not found\nCalls: g -> f\nExecution halted\n",
    "terminate called after throwing an instance of 'std::runtime_error'\n  what():  bad\nAborted (core dumped)\n",
    "Fatal Python error: Segmentation fault\n\nCurrent thread 0x00007f (most recent call first):\n"
    '  File "/a.py", line 3 in f\n  File "/a.py", line 9 in <module>\n\nExtension modules: numpy (total: 1)\n',
    "train.sh: line 3: pyhton: command not found\nbash: ./x: Permission denied\n",
    "ERROR: LoadError: UndefVarError: `y` not defined\nStacktrace:\n [1] f(x::Int64)\n   @ Main ./a.jl:3\n",
    "[rank0]:[E1123 ProcessGroupNCCL.cpp:475] [Rank 0] Watchdog caught collective operation timeout: WorkNCCL(OpType="
    "ALLREDUCE)\nterminate called after throwing an instance of 'c10::DistBackendError'\n",
    "====================\ntrain.py FAILED\n--------------------\nFailures:\n  <NO_OTHER_FAILURES>\n"
    "Root Cause (first observed failure):\n[0]:\n  time      : 2024-01-02_03:04:05\n  host      : x\n"
    "  rank      : 1 (local_rank: 1)\n  exitcode  : 1 (pid: 12)\n  error_file: <N/A>\n====================\n",
    "slurmstepd: error: *** JOB 1 ON n CANCELLED AT 2024-01-02T03:04:05 DUE TO TIME LIMIT ***\nKilled\n",
    "RuntimeError: CUDA error: device-side assert triggered\nCompile with `TORCH_USE_CUDA_DSA`\n",
    "*** SIGSEGV (@0x0) received by PID 1 ***\nstack trace:\n    @ 0x7f1 (unknown)\nSegmentation fault (core dumped)\n",
    "Unhandled exception. System.IO.IOException: no\n   at A.B() in /x.cs:line 3\n",
    "/x.rb:3:in `f': bad (RuntimeError)\n\tfrom /x.rb:9:in `<main>'\n",
    "*** Error in `python': double free or corruption (!prev): 0x01 ***\n"
    "======= Backtrace: =========\n/lib/x.so(+0x7)[0x1]\n",
)
RICH = (
    "╭───────────── Traceback (most recent call last) ─────────────╮\n│ /w/a.py:3 in f                            │\n"
    "│                                           │\n│ ❱ 3   raise ValueError('x')               │\n"
    "╰───────────────────────────────────────────╯\nValueError: x\n"
)


def frames(rng: Random, most: int = 5) -> str:
    """Some frames, with their source lines and marks under them."""
    out = []
    for _ in range(rng.randint(0, most)):
        name = rng.choice(
            ("/w/train.py", "/u/lib/python3.11/site-packages/torch/nn.py", "<string>", "C:\\w\\a.py", 'q"x')
        )
        out.append(
            f'  File "{name}", line {rng.randint(1, 9)}, in {rng.choice(("<module>", "f", "C.g", "<lambda>"))}\n'
        )
        if source := rng.choice(SOURCES):
            out.append(f"    {source}\n")
            if rng.random() < 0.4:
                out.append("    " + "~" * rng.randint(1, 5) + "^" * rng.randint(1, 5) + "\n")
        if rng.random() < 0.1:
            out.append(f"  [Previous line repeated {rng.randint(1, 999)} more times]\n")
    return "".join(out)


def one(rng: Random) -> str:
    """One exception with its frames, text and perhaps notes."""
    kind, text = rng.choice(TYPES), rng.choice(TEXTS)
    last = f"{kind}: {text}" if text or rng.random() < 0.3 else kind
    notes = "a note\nmore of it\n" if rng.random() < 0.15 else ""
    if rng.random() < 0.1:
        last = '  File "/w/a.py", line 3\n    x = = 1\n        ^\nSyntaxError: invalid syntax'
    return f"Traceback (most recent call last):\n{frames(rng)}{last}\n{notes}"


def chain(rng: Random) -> str:
    """Exceptions that led to one another."""
    out = one(rng)
    while rng.random() < 0.4:
        out += rng.choice(JOINED) + one(rng)
    return out


def group(rng: Random, depth: int = 0) -> str:
    """An exception group as Python draws it."""
    pad = "  " * (depth + 1)
    head = "+ " if not depth else "| "
    lines = [f"{pad}{head}Exception Group Traceback (most recent call last):"]
    lines += [f"{pad}| {line}" for line in frames(rng, 2).splitlines()]
    lines.append(f"{pad}| ExceptionGroup: several (2 sub-exceptions)")
    for index in range(1, rng.randint(2, 4)):
        lines.append(f"{pad}{'+-' if index == 1 else '  '}+---------------- {index} ----------------")
        if depth < 3 and rng.random() < 0.3:
            lines.append(group(rng, depth + 1).rstrip("\n"))
        else:
            lines += [f"{pad}  | {line}" for line in chain(rng).splitlines()]
    lines.append(f"{pad}  +------------------------------------")
    return "\n".join(lines) + "\n"


MAKERS: Sequence[Callable[[Random], str]] = (
    chain,
    chain,
    chain,
    group,
    lambda rng: rng.choice(OTHERS),
    lambda rng: RICH,
    lambda rng: one(rng)[: rng.randint(1, 120)] + "\n",
)


def crash(rng: Random) -> bytes:
    """One crash, or two that several processes wrote at once, with prefixes now and then."""
    shown = [rng.choice(BEFORE) + rng.choice(MAKERS)(rng) for _ in range(2 if rng.random() < 0.2 else 1)]
    columns = [text.splitlines(keepends=True) for text in shown]
    if rng.random() < 0.35:
        columns = [
            [rng.choice(PREFIXES[index::2]) if rng.random() < 0.02 else prefix + line for line in lines]
            for index, (prefix, lines) in enumerate(zip(rng.sample(PREFIXES, len(columns)), columns, strict=True))
        ]
    out: list[str] = []
    while any(columns):
        column = rng.choice([lines for lines in columns if lines])
        take = rng.randint(1, len(column))
        out += column[:take]
        del column[:take]
        if rng.random() < 0.1:
            out.append("other output in the middle\n")
    return "".join(out).encode()
