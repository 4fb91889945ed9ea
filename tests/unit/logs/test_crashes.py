"""Crashes that are no Python traceback: what is read of each, and what is none."""

import json
import random
import time
from typing import Any

import pytest

from k12ai_ws.logs.batch import parse
from k12ai_ws.logs.pipeline import Pipeline
from k12ai_ws.wire.bodies import Fault

from .crash_samples import LAUNCHERS, SAMPLES, Sample


def faults(log: str) -> list[Fault]:
    return [event for event in parse(log.encode()) if isinstance(event, Fault)]


def shown(fault: Fault) -> Sample:
    detail: dict[str, Any] = dict(fault.detail)
    frames = [(frame["filename"], frame["linenum"], frame["funcname"]) for frame in detail["traceback"]]
    return "", fault.severity, detail["exc_type"], detail["exc_text"], frames


@pytest.mark.parametrize("name", SAMPLES)
def test_a_crash_is_one_error(name: str) -> None:
    log, *expected = SAMPLES[name]
    (fault,) = faults(log)
    assert list(shown(fault)[1:]) == expected
    assert fault.detail["language"]
    assert fault.detail["exc_text"].split("\n")[0] in fault.detail["raw"]


@pytest.mark.parametrize("name", SAMPLES)
def test_it_is_the_same_byte_by_byte_and_over_restarts(name: str) -> None:
    log = SAMPLES[name][0]
    pipeline, events = Pipeline(["auto"]), []
    for byte in log.encode():
        events += pipeline.feed(bytes([byte]))
        state = json.loads(json.dumps(pipeline.dump()))
        pipeline = Pipeline(["auto"])
        pipeline.load(state)
    events += pipeline.close(at_ms=0)
    assert [event.body() for event in events if isinstance(event, Fault)] == [fault.body() for fault in faults(log)]


@pytest.mark.parametrize("name", [name for name in SAMPLES if name not in LAUNCHERS and "nccl" not in name])
@pytest.mark.parametrize(("prefix", "rank"), [("[rank2]: ", 2), ("[1,2]<stderr>:", 2), ("2: ", 2), ("w-1  | ", None)])
def test_a_launchers_prefix_hides_nothing(name: str, prefix: str, rank: int | None) -> None:
    log, _, *expected = SAMPLES[name]
    prefixed = "".join(f"{prefix}{line}\n" for line in log.splitlines())
    (fault,) = faults(prefixed)
    assert list(shown(fault)[2:]) == expected
    assert fault.detail.get("rank") == rank


def test_two_ranks_at_once_are_told_apart() -> None:
    lines = SAMPLES["terminate"][0].splitlines()
    log = "".join(f"[rank{rank}]: {line}\n" for line in lines for rank in (0, 1))
    found = faults(log)
    assert sorted(fault.detail["rank"] for fault in found) == [0, 1]
    assert {fault.detail["exc_text"] for fault in found} == {"bad shape"}


def test_causes_are_in_the_chain() -> None:
    chains = {
        "java": [("java.lang.NumberFormatException", 'For input string: "x"', "cause")],
        "c#": [("System.FormatException", "inner", "cause")],
        "go, a panic while panicking": [("panic", "first", "context")],
    }
    for name, chain in chains.items():
        (fault,) = faults(SAMPLES[name][0])
        assert [(link["exc_type"], link["exc_text"], link["relation"]) for link in fault.detail["chain"]] == chain, name


def test_library_frames_are_not_the_users_own() -> None:
    for name, own in (("node", [False, True, True]), ("spark", [False, True])):
        (fault,) = faults(SAMPLES[name][0])
        assert [frame["in_app"] for frame in fault.detail["traceback"]] == own


def test_hundreds_of_assertions_of_a_kernel_are_one_event() -> None:
    line = (
        "../aten/src/ATen/native/cuda/Loss.cu:250: nll_loss_forward_reduce_cuda_kernel_2d: block: [0,0,0], thread: "
        "[{},0,0] Assertion `t >= 0 && t < n_classes` failed.\n"
    )
    error = (
        'Traceback (most recent call last):\n  File "x.py", line 3, in <module>\n    f()\nRuntimeError: CUDA error\n'
    )
    first, second = faults("".join(line.format(index) for index in range(900)) + error)
    assert (first.severity, first.detail["exc_text"], first.detail["count"]) == (
        "warning",
        "t >= 0 && t < n_classes",
        900,
    )
    assert len(first.detail["raw"]) < 100_000
    assert (second.severity, second.detail["exc_type"]) == ("error", "RuntimeError")


def test_a_script_that_goes_on_only_warns() -> None:
    log = "t.sh: line 3: foo: command not found\nt.sh: line 4: ./nothere: No such file or directory\nepoch 1\n"
    assert [fault.severity for fault in faults(log)] == ["warning", "warning"]


GOING_ON = b"epoch 1 loss: 0.5\n"
SURVIVED = {
    b"sh: 1: nvidia-smi: not found\n": "CommandNotFound",
    b"bash: line 1: /x: No such file or directory\n": "NoSuchFile",
    b"a.rb:1:in `f': x (E)\n": "E",
    b"Killed\n": "Killed",
    b"make: *** [all] Error 2\n": "MakeError",
    b"make[1]: *** [Makefile:3: x] Error 2\nmake: *** [Makefile:1: all] Error 2\nmake: Leaving directory '/x'\n": (
        "MakeError"
    ),
}
"""Crashes of programs that others ran, and went on."""


@pytest.mark.parametrize("line", SURVIVED)
@pytest.mark.parametrize(("stream", "silent"), [("stdout", False), ("stdout", True), ("stderr", True)])
def test_a_silence_does_not_make_an_error_of_what_the_program_survived(line: bytes, stream: str, silent: bool) -> None:
    pipeline = Pipeline(["auto"])
    events = pipeline.feed(line, stream=stream)
    if silent:
        events += pipeline.idle(at_ms=1000) + pipeline.idle(at_ms=2000)
    events += pipeline.feed(GOING_ON, at_ms=60_000) + pipeline.close(at_ms=60_001)
    found = [event for event in events if isinstance(event, Fault)]
    assert [(fault.severity, fault.detail["exc_type"]) for fault in found] == [("warning", SURVIVED[line])]


@pytest.mark.parametrize("line", SURVIVED)
def test_it_is_the_error_where_nothing_follows_the_silence(line: bytes) -> None:
    pipeline = Pipeline(["auto"])
    events = pipeline.feed(GOING_ON) + pipeline.feed(line, stream="stderr") + pipeline.idle(at_ms=1000)
    state = json.loads(json.dumps(pipeline.dump()))
    pipeline = Pipeline(["auto"])
    pipeline.load(state)
    events += pipeline.close(at_ms=2000)
    found = [event for event in events if isinstance(event, Fault)]
    assert [(fault.severity, fault.detail["exc_type"]) for fault in found] == [("error", SURVIVED[line])]


def test_what_only_the_end_of_a_log_makes_an_error() -> None:
    for line in ("train.py: error: unrecognized arguments: --foo", "odd row at p.pl line 3."):
        assert not faults(f"{line}\nloss=0.3 epoch=1\n")
        assert len(faults(f"{line}\n")) == 1


def test_a_launchers_summary_adds_nothing_to_an_error() -> None:
    error = 'Traceback (most recent call last):\n  File "x.py", line 3, in <module>\n    f()\nValueError: bad\n'
    for name in LAUNCHERS:
        if name not in ("slurm, memory", "slurm, time"):
            assert [fault.detail["exc_type"] for fault in faults(error + LAUNCHERS[name][0])] == ["ValueError"], name


ORDINARY = """
error: 0.12
Error: 0.1234
val_error=0.3 test error 0.25
  error rate: 0.03
killed: false
Kill switch: off
segmentation model: unet
Instance segmentation fault tolerance: 3
0 failed, 12 passed
checkpoint not found, training from scratch
warning: config.yaml: not found, using defaults
checkpoint: best.pt: not found
model: resnet: not found in registry, using default
data/cache.bin: No such file or directory, rebuilding
ls: cannot access 'x': No such file or directory
Permission denied for 3 of 10 users in the dataset
Aborted transactions: 12
Killed 12 processes
Job terminated after 3 epochs (early stopping)
Corrupt JPEG data: 12 extraneous bytes before marker 0xd9
malloc(): used by the allocator
line 3 of the poem
at line 12 of config.yaml
read 3 rows at data.csv line 3
2024-05-06 10:00:00,123 ERROR training failed: no space
2024-05-06 10:00:00,123 - train - ERROR - Exception in worker: retrying
[ERROR] could not open cache
ERROR: could not open cache
error: retrying in 3 s
WARNING: Error while loading image 3: skipped
I0506 10:00:00.123456 12 x.cc:3] Check failed is a metric
E0506 10:00:00.123456 12 x.cc:3] failed call to cuInit: CUDA_ERROR_NO_DEVICE: no CUDA-capable device is detected
2024-05-06 10:00:00.123456: W x.cc:64] no libcudart.so.11.0: cannot open shared object file: No such file
Assertions passed: 12/12
Check failed: 0
Unhandled exceptions: 0
panic: 0
panic=0.3
fatal error: 0.01
Caused by: weather
    at 12 km/h
stack traceback: off
usage: 12 GB of 40 GB
train.py: error: 0.3
make: *** warnings: 3
srun: job 12 queued and waiting for resources
bash: /opt/x: using cached
Hash: 1234: found
NCCL WARN Call to connect returned Connection refused, retrying
node1:12:34 [0] misc/ibvwrap.cc:63 NCCL WARN Failed to open libibverbs.so[.1]
[W socket.cpp:426] [c10d] The server socket has failed to listen on [::]:29500 (errno: 98 - Address already in use).
CUDA error checking: on
CUDA errors: 0
Warning message:
Error in validation: 0.123
Error in reconstruction : 0.45
Error (train): 0.2
Error: see above
Error: Invalid learning rate ignored, using 0.1
container exec: "python": ok
something odd at train.py line 3.
1: error 0.3
worker-1  | Aborted tasks: 0
torch: 2.1.0 not found cuda
Error loading image: img_003.jpg not found
Bus errors: 0
java.lang.Exception is a class
org.apache.spark.SparkException: see log
TypeError: (not raised, text only)
x.rb:3:in `f': fine
x: unbound variable count 3
syntax error near line 3 of the data was repaired
terminate called 3 times
*** 3 devices detected ***
*** [step] Error 1
ERROR: AddressSanitizer off
[Rank 0] Watchdog caught up with schedule
""".strip().splitlines()


@pytest.mark.parametrize("line", ORDINARY)
def test_an_ordinary_line_is_no_crash(line: str) -> None:
    assert not faults(f"{line}\n")
    assert not faults(f"epoch 1\n{line}\nepoch 2\n")


def test_ordinary_lines_together_are_no_crash() -> None:
    assert not faults("\n".join(ORDINARY))


def test_no_line_is_lost_or_told_twice() -> None:
    """Lines of all samples and ordinary ones in any order: metrics between them all come out, once and in order."""
    pool = [line for log, *_ in SAMPLES.values() for line in log.splitlines()] + ORDINARY
    for seed in range(60):
        chance = random.Random(seed)
        lines: list[str] = []
        for step in range(40):
            lines += chance.choices(pool, k=chance.randrange(5))
            lines.append(f"step={step} loss=0.{step + 100}")
        events = parse("\n".join(lines).encode())
        steps = [event.values["step"] for event in events if event.type == "metrics" and "step" in event.values]
        assert [step for step in steps if step in range(40)] == list(range(40)), seed


def test_a_hostile_line_costs_little() -> None:
    """Each of these takes milliseconds; a pattern that tries all ways through one would take hours."""
    begun = time.process_time()
    for part in ("x: 1: ", "a at b.pl line ", "[rank1]: ", "Error: ", "(", "at f(x) ", ": line 1: ", "' panicked at "):
        faults((part * 9000)[:15_000] + " not found failed Error\n")
    assert time.process_time() - begun < 10


def test_restarts_and_silence_between_any_lines_of_many_kinds_change_nothing() -> None:
    pool = [line for log, *_ in SAMPLES.values() for line in log.splitlines()] + ORDINARY
    for seed in range(15):
        lines = [f"{line}\n".encode() for line in random.Random(seed).choices(pool, k=60)]
        whole, pieces = Pipeline(["auto"]), Pipeline(["auto"])
        expected, found = [], []
        for number, line in enumerate(lines):
            expected += whole.feed(line)
            found += pieces.feed(line)
            if number % 7 == 0:
                expected += whole.idle(at_ms=0)
                found += pieces.idle(at_ms=0)
            state = json.loads(json.dumps(pieces.dump()))
            pieces = Pipeline(["auto"])
            pieces.load(state)
        assert [e.body() for e in found + pieces.close(at_ms=0)] == [e.body() for e in expected + whole.close(at_ms=0)]
