"""Crashes of native code: C++ exceptions, signals, assertions, the allocator, sanitizers, CUDA and NCCL.

Sources: libstdc++'s and libc++abi's terminate handlers, glibc's `__assert_fail` and `malloc`, glog, bash's and dash's
words on signals, CUDA's device-side assertions, torch's ProcessGroupNCCL.
"""

from .kind import Kind, Policy, pattern

SIGNAL = (
    r"Segmentation fault|Aborted|Bus error|Illegal instruction|Floating point exception|Killed"
    r"|Trace/breakpoint trap|Bad system call"
)
ECHOES = pattern(
    rf"(?:(?P<shell>[^\s:][^:]{{0,300}}): (?:line \d{{1,7}}: )?\s{{0,8}}\d{{1,9}} )?(?P<type>{SIGNAL})"
    r"(?:\s{0,20}\(core dumped\))?(?P<rest>\s*$|(?:\s|\./|/(?=\w+/)).{0,2000}$)"
)
"""A shell's line on the signal that ended its child; with `rest` it must have a `shell`."""
ALLOCATOR = pattern(
    r"(?:\*\*\* Error in `[^']{1,300}': )?(?P<text>(?:double free or corruption"
    r"|(?:free|malloc|malloc_consolidate|realloc|calloc|munmap_chunk|_int_\w{1,20}|unlink_chunk)\(\): "
    r"(?:invalid|corrupted|unaligned|double free|memory corruption|mismatching|unsorted|smallbin|largebin|mmap"
    r"|top|bad|too many|chunks in)"
    r"|corrupted (?:size vs|double-linked list|unsorted chunks)|invalid fastbin entry|unaligned tcache).{0,200})$"
)
_GLOG_MORE = r"\*\*\* (?:Check failure stack trace|Aborted at|SIG\w+)|PC: @|\s{1,12}@\s{1,30}\S"
_C10_MORE = (
    r"Exception raised from |frame #\d|CUDA kernel errors might|For debugging consider|Compile with `TORCH_USE"
    r"|Device-side assertion|Search for `cuda|\[E\d|Last error:|ncclSystemError|ncclInternalError|ncclUnhandledCuda"
    r"|C\+\+ CapturedTraceback:"
)

NATIVE: tuple[Kind, ...] = (
    Kind(
        "terminate",
        ("terminate called", "terminating"),
        pattern(
            r"(?:libc\+\+abi(?:\.dylib)?: )?(?:terminate called after throwing an instance of '(?P<type>[^']{1,300})'"
            r"|terminating (?:due to|with) uncaught exception of type (?P<type2>[^\s].{0,300}?)(?:: (?P<text2>.*))?$"
            r"|(?P<text>terminate called (?:without an active exception|recursively)))"
        ),
        Policy.FATAL,
        "cpp",
        "std::terminate",
        head=pattern(r"\s{1,4}what\(\):\s{0,2}(?P<text>.*)"),
        more=pattern(_C10_MORE),
        end=ECHOES,
        text_lines=8,
        free_text=True,
    ),
    Kind(
        "allocator",
        ("corrupt", "free(): ", "alloc(): ", "consolidate(): ", "chunk(): ", "fastbin", "tcache"),
        ALLOCATOR,
        Policy.FATAL,
        "cpp",
        "Aborted",
        end=ECHOES,
    ),
    Kind(
        "smashed",
        (" detected ***",),
        pattern(r"\*\*\* (?P<text>(?:stack smashing|buffer overflow) detected) \*\*\*"),
        Policy.FATAL,
        "cpp",
        "Aborted",
        end=ECHOES,
    ),
    Kind(
        "device-assert",
        ("ssertion `",),
        pattern(
            r"(?P<file>[^\s:]{1,300}):(?P<line>\d{1,7}): (?P<func>.{1,800}?): block: \[[\d,]{1,40}\], "
            r"thread: \[[\d,]{1,40}\] Assertion `(?P<text>.{1,800}?)` failed\.?$"
        ),
        Policy.OPEN,
        "cuda",
        "CUDA assertion",
        counted=True,
    ),
    Kind(
        "assert",
        ("ssertion `", "ssertion '", "Assertion failed"),
        pattern(
            r"(?:[^\s:][^:]{0,200}: )?(?P<file>[^\s:][^:]{0,300}):(?P<line>\d{1,7}): (?:(?P<func>.{1,800}?): )?"
            r"Assertion [`'](?P<text>.{1,2000})' failed\.?$"
            r"|Assertion failed: \(?(?P<text2>.{1,1000}?)\)?,? (?:function (?P<func2>[^,]{1,300}), file "
            r"(?P<file2>[^,]{1,300}), line (?P<line2>\d{1,7})\.|\((?P<file3>[^():\s]{1,300}): "
            r"(?P<func3>[^():]{1,300}): "
            r"(?P<line3>\d{1,7})\))$"
        ),
        Policy.FATAL,
        "cpp",
        "Assertion",
        end=ECHOES,
    ),
    Kind(
        "glog",
        ("] ",),
        pattern(
            r"(?:\[?F\d{4,8} \d\d:\d\d:\d\d\.\d{1,9}\s{1,8}\d{1,10}|\d{4}-\d\d-\d\d \d\d:\d\d:\d\d\.\d{1,9}: F) "
            r"(?P<file>[^\s:]{1,300}):(?P<line>\d{1,7})\] (?P<text>(?P<type>Check failed)?.*)$"
        ),
        Policy.FATAL,
        "cpp",
        "FATAL",
        more=pattern(_GLOG_MORE),
        end=ECHOES,
    ),
    Kind(
        "sanitizer",
        ("Sanitizer: ",),
        pattern(r"={0,80}\d{0,10}={0,4}ERROR: (?P<type>\w{1,20}Sanitizer): (?P<text>.*)$"),
        Policy.FATAL,
        "cpp",
        more=pattern(
            r"\s|=|SUMMARY:|READ of|WRITE of|0x[0-9a-f]|Shadow|freed by|previously allocated|allocated by|HINT"
            r"|Address |The signal|Direct leak|Indirect leak|Hint:"
        ),
        end=pattern(r"==\d{1,10}==ABORTING"),
    ),
    Kind(
        "signal",
        ("Segmentation", "Aborted", "Bus error", "Illegal inst", "Floating point", "Killed", "/breakpoint", "Bad syst"),
        ECHOES,
        Policy.ECHO,
        "shell",
    ),
    Kind(
        "zsh-signal",
        ("zsh: ",),
        pattern(
            r"zsh: (?P<type>segmentation fault|abort|bus error|illegal hardware instruction|floating point exception"
            r"|killed)(?: \(core dumped\))? {1,20}(?P<text>\S.{0,2000})$"
        ),
        Policy.ECHO,
        "shell",
    ),
    Kind(
        "kernel-memory",
        ("ut of memory: Killed process ",),
        pattern(
            r"(?:\[ {0,8}\d{1,12}\.\d{1,9}\] )?"
            r"(?P<text>(?:Memory cgroup out|Out) of memory: Killed process \d{1,9} .{1,600})$"
        ),
        Policy.OPEN,
        "shell",
        "Killed",
    ),
    Kind(
        "nccl-timeout",
        ("Watchdog caught",),
        pattern(
            r"(?:\[[^\]\[]{0,120}\] ?){0,3}\[(?:PG [^\]\[]{0,80})?Rank (?P<rank>\d{1,6})\] "
            r"(?P<text>Watchdog caught collective operation timeout: .*)$"
        ),
        Policy.OPEN,
        "cuda",
        "NCCLTimeout",
        more=pattern(
            r"(?:\[[^\]\[]{0,120}\][: ]{0,2}){1,3}(?:\[[^\]\[]{0,120}\] )?(?:Some NCCL|To avoid data|Exception \()"
        ),
    ),
    Kind(
        "cuda",
        ("CUDA ", "cuda", "NCCL", "GPUassert", "CUBLAS_", "CUDNN_"),
        pattern(
            r"(?P<text>(?:CUDA (?:error|failure|Error|Runtime Error)|GPUassert|NCCL error|NCCL failure"
            r"|cuda(?:Malloc|Memcpy|Launch)\w{0,30} (?:failed|error)|CUBLAS error|cuDNN [Ee]rror|CUDNN failure)\b"
            r"(?::| at | in ).{1,1000})$"
        ),
        Policy.LAST,
        "cuda",
        "CUDA error",
    ),
)
