"""What dying programs of other kinds print, recorded by running them: gcc 12, bash 5.2, dash, GNU make 4.3, OpenJDK 17,
node 20, go 1.19, rustc 1.95, ruby 3.1, perl 5.36, lua 5.3, PHP 8.2, R 4.2, Octave 7; the rest after their sources'
documentation and public reports. Paths are shortened.

Each sample: name -> (log, severity, exc_type, exc_text, frames outermost first as `(file, line, func)`).
"""

Frame = tuple[str, int, str]
Sample = tuple[str, str, str, str, list[Frame]]

NATIVE: dict[str, Sample] = {
    "terminate": (
        "terminate called after throwing an instance of 'std::runtime_error'\n  what():  bad shape\nAborted\n",
        "error", "std::runtime_error", "bad shape", [],
    ),
    "terminate, text of two lines": (
        "terminate called after throwing an instance of 'std::runtime_error'\n  what():  bad shape\nsecond line\n"
        "bash: line 1: 20986 Aborted                 ./a.out 0\n",
        "error", "std::runtime_error", "bad shape\nsecond line", [],
    ),
    "terminate, out of memory": (
        "terminate called after throwing an instance of 'std::bad_alloc'\n  what():  std::bad_alloc\n",
        "error", "std::bad_alloc", "std::bad_alloc", [],
    ),
    "terminate, no text": (
        "terminate called after throwing an instance of 'int'\nAborted (core dumped)\n", "error", "int", "", [],
    ),
    "libc++": (
        "libc++abi: terminating due to uncaught exception of type std::runtime_error: bad shape\n",
        "error", "std::runtime_error", "bad shape", [],
    ),
    "c10": (
        "terminate called after throwing an instance of 'c10::Error'\n  what():  CUDA error: device-side assert "
        "triggered\n"
        "CUDA kernel errors might be asynchronously reported at some other API call.\n"
        "Exception raised from c10_cuda_check at ../c10/cuda/CUDAException.cpp:43 (most recent call first):\n"
        "frame #0: c10::Error::Error(c10::SourceLocation, std::string) + 0x96 (0x7f3b in /usr/lib/libc10.so)\n"
        "frame #1: clone + 0x43 (0x7f3c in /usr/lib/libc.so.6)\n\nAborted (core dumped)\n",
        "error", "c10::Error", "CUDA error: device-side assert triggered", [],
    ),
    "a shell's segmentation fault": (
        "epoch 1\nSegmentation fault (core dumped)\n", "error", "Segmentation fault",
        "Segmentation fault (core dumped)", [],
    ),
    "bash's segmentation fault": (
        "t.sh: line 1: 21048 Segmentation fault      ./a.out 6\n", "error", "Segmentation fault",
        "t.sh: line 1: 21048 Segmentation fault      ./a.out 6", [],
    ),
    "bash, no space": (
        "bash: line 1: 21006 Floating point exception./a.out 10\n", "error", "Floating point exception",
        "bash: line 1: 21006 Floating point exception./a.out 10", [],
    ),
    "bash, no space before a path": (
        "bash: line 1: 24014 Floating point exception/usr/bin/python -u t.py\n", "error", "Floating point exception",
        "bash: line 1: 24014 Floating point exception/usr/bin/python -u t.py", [],
    ),
    "zsh's segmentation fault": (
        "zsh: segmentation fault  python train.py\n", "error", "segmentation fault",
        "zsh: segmentation fault  python train.py", [],
    ),
    "zsh, killed": (
        "zsh: killed     python train.py\n", "error", "killed", "zsh: killed     python train.py", [],
    ),
    "zsh, another processor": (
        "zsh: illegal hardware instruction  python x\n", "error", "illegal hardware instruction",
        "zsh: illegal hardware instruction  python x", [],
    ),
    "a container's own file": (
        "exec /usr/bin/run.sh: no such file or directory\n", "error", "ContainerRefused",
        "exec /usr/bin/run.sh: no such file or directory", [],
    ),
    "the kernel's word": (
        "[ 812.123456] Out of memory: Killed process 4242 (python) total-vm:812kB, anon-rss:12kB\n", "error", "Killed",
        "Out of memory: Killed process 4242 (python) total-vm:812kB, anon-rss:12kB", [],
    ),
    "no rule": (
        "make: *** No rule to make target 'nope'.  Stop.\n", "error", "MakeError",
        "*** No rule to make target 'nope'.  Stop.", [],
    ),
    "the engine refuses": (
        "docker: Error response from daemon: could not select device driver.\nSee 'docker run --help'.\n", "error",
        "ContainerRefused", "docker: Error response from daemon: could not select device driver.", [],
    ),
    "pip": (
        "Collecting x\nERROR: Could not find a version that satisfies the requirement x (from versions: none)\n"
        "ERROR: No matching distribution found for x\n", "error", "PipError",
        "Could not find a version that satisfies the requirement x (from versions: none)", [],
    ),
    "git": (
        "fatal: repository '/nope/x' does not exist\n", "error", "GitError", "repository '/nope/x' does not exist", [],
    ),
    "killed": ("epoch 1\nKilled\n", "error", "Killed", "Killed", []),
    "killed in a script that goes on": (
        "t.sh: line 2: 21049 Killed                  ./a.out 8\nnext step\n", "warning", "Killed",
        "t.sh: line 2: 21049 Killed                  ./a.out 8", [],
    ),
    "freed twice": (
        "free(): double free detected in tcache 2\nAborted\n", "error", "Aborted",
        "free(): double free detected in tcache 2", [],
    ),
    "corrupted": ("double free or corruption (!prev)\n", "error", "Aborted", "double free or corruption (!prev)", []),
    "smashed": (
        "*** stack smashing detected ***: terminated\nbash: line 1: 21008 Aborted                 ./a.out 11\n",
        "error", "Aborted", "stack smashing detected", [],
    ),
    "assert": (
        "a.out: a.cpp:13: int main(int, char**): Assertion `k==4' failed.\nAborted\n",
        "error", "Assertion", "k==4", [("a.cpp", 13, "int main(int, char**)")],
    ),
    "musl's assert": (
        "Assertion failed: k == 4 (a.c: main: 13)\n", "error", "Assertion", "k == 4", [("a.c", 13, "main")],
    ),
    "glog": (
        "F1123 14:00:00.000000 12 x.cc:3] Check failed: a == b (1 vs. 2) \n*** Check failure stack trace: ***\n"
        "    @     0x7f4c  google::LogMessage::Fail()\n    @     0x7f4d  main\nAborted (core dumped)\n",
        "error", "Check failed", "Check failed: a == b (1 vs. 2)", [("x.cc", 3, "")],
    ),
    "tensorflow's check": (
        "2024-05-06 10:00:00.123456: F tensorflow/core/platform/default/env.cc:74] Check failed: ret == 0 (11 vs. 0)\n",
        "error",
        "Check failed", "Check failed: ret == 0 (11 vs. 0)", [("tensorflow/core/platform/default/env.cc", 74, "")],
    ),
    "sanitizer": (
        "==12==ERROR: AddressSanitizer: heap-buffer-overflow on address 0x60\nREAD of size 4 at 0x60 thread T0\n"
        "    #0 0x4 in main /x.c:3\n\nSUMMARY: AddressSanitizer: heap-buffer-overflow /x.c:3 in main\n==12==ABORTING\n",
        "error", "AddressSanitizer", "heap-buffer-overflow on address 0x60", [],
    ),
    "nccl": (
        "[rank0]:[E1206 18:44:12.715298746 ProcessGroupNCCL.cpp:607] [Rank 0] Watchdog caught collective operation "
        "timeout: WorkNCCL(SeqNum=7753, OpType=ALLREDUCE, Timeout(ms)=600000) ran for 600061 milliseconds before "
        "timing "
        "out.\n[rank0]:[E1206 18:44:12.715588844 ProcessGroupNCCL.cpp:1664] [PG 1 Rank 0] Exception (either an "
        "error or "
        "timeout) detected by watchdog at work: 7753, last enqueued NCCL work: 7755.\n",
        "error", "NCCLTimeout", "Watchdog caught collective operation timeout: WorkNCCL(SeqNum=7753, OpType=ALLREDUCE, "
        "Timeout(ms)=600000) ran for 600061 milliseconds before timing out.", [],
    ),
    "cuda at the end": (
        "epoch 1\nCUDA error at solver.cu:12: out of memory\n", "error", "CUDA error",
        "CUDA error at solver.cu:12: out of memory", [],
    ),
}  # fmt: skip

LANGUAGES: dict[str, Sample] = {
    "java": (
        'Exception in thread "main" T$My: outer\n\tat T.f(T.java:2)\n\tat T.main(T.java:4)\n'
        'Caused by: java.lang.NumberFormatException: For input string: "x"\n'
        "\tat java.base/java.lang.Integer.parseInt(Integer.java:668)\n\t... 2 more\n",
        "error", "T$My", "outer", [("T.java", 4, "T.main"), ("T.java", 2, "T.f")],
    ),
    "java, text of two lines": (
        'Exception in thread "main" java.lang.RuntimeException: two\nlines\n\tat T.main(T.java:4)\n',
        "error", "java.lang.RuntimeException", "two\nlines", [("T.java", 4, "T.main")],
    ),
    "java, suppressed": (
        'Exception in thread "main" java.lang.RuntimeException: main\n\tat T.main(T.java:4)\n'
        "\tSuppressed: java.lang.Exception: sup\n\t\tat T.x(T.java:9)\n\t\t... 2 more\n",
        "error", "java.lang.RuntimeException", "main", [("T.java", 4, "T.main")],
    ),
    "java, another thread": (
        'Exception in thread "Thread-0" java.lang.RuntimeException: in thread\n\tat T.lambda$f$0(T.java:3)\ngoes on\n',
        "warning", "java.lang.RuntimeException", "in thread", [("T.java", 3, "T.lambda$f$0")],
    ),
    "java, printed": (
        "java.lang.IllegalStateException: bad shape: 3\n\tat T.f(T.java:2)\n\tat T.main(T.java:4)\nafter\n",
        "warning", "java.lang.IllegalStateException", "bad shape: 3", [("T.java", 4, "T.main"), ("T.java", 2, "T.f")],
    ),
    "spark": (
        "24/05/06 10:00:00 ERROR Executor: Exception in task 0.0 in stage 1.0 (TID 1)\n"
        "java.lang.ArithmeticException: / by zero\n\tat a.b.C.f(C.scala:12)\n"
        "\tat org.apache.spark.scheduler.Task.run(Task.scala:136)\n",
        "error", "java.lang.ArithmeticException", "/ by zero",
        [("Task.scala", 136, "org.apache.spark.scheduler.Task.run"), ("C.scala", 12, "a.b.C.f")],
    ),
    "c#": (
        "Unhandled exception. System.InvalidOperationException: bad\n ---> System.FormatException: inner\n"
        "   at N.P.G() in /app/P.cs:line 5\n   --- End of inner exception stack trace ---\n"
        "   at N.P.Main(String[] args) in /app/P.cs:line 12\n",
        "error", "System.InvalidOperationException", "bad", [("/app/P.cs", 12, "N.P.Main")],
    ),
    "node": (
        '/app/x.js:1\nfunction f(){ throw new TypeError("bad shape (2, 3)"); }\n              ^\n\n'
        "TypeError: bad shape (2, 3)\n    at f (/app/x.js:1:21)\n    at Object.<anonymous> (/app/x.js:3:1)\n"
        "    at Module._compile (node:internal/modules/cjs/loader:1521:14)\n\nNode.js v20.20.2\n",
        "error", "TypeError", "bad shape (2, 3)",
        [("node:internal/modules/cjs/loader", 1521, "Module._compile"), ("/app/x.js", 3, "Object.<anonymous>"),
         ("/app/x.js", 1, "f")],
    ),
    "node, no module": (
        "node:internal/modules/cjs/loader:1210\n  throw err;\n  ^\n\nError: Cannot find module './nothere'\n"
        "Require stack:\n- /app/z.js\n    at Object.<anonymous> (/app/z.js:1:1) {\n  code: 'MODULE_NOT_FOUND',\n"
        "  requireStack: [ '/app/z.js' ]\n}\n\nNode.js v20.20.2\n",
        "error", "Error", "Cannot find module './nothere'\nRequire stack:\n- /app/z.js",
        [("/app/z.js", 1, "Object.<anonymous>")],
    ),
    "node, logged": (
        "TypeError: Cannot read properties of null (reading 'x')\n    at Object.<anonymous> "
        "(/app/h.js:1:12)\ngoes on\n",
        "warning",
        "TypeError", "Cannot read properties of null (reading 'x')", [("/app/h.js", 1, "Object.<anonymous>")],
    ),
    "node, no memory": (
        "<--- JS stacktrace --->\n\nFATAL ERROR: Reached heap limit Allocation failed - JavaScript heap out of memory\n"
        "----- Native stack trace -----\n\n 1: 0xb78db3 node::OOMErrorHandler(char const*) [node]\n",
        "error", "OutOfMemory", "Reached heap limit Allocation failed - JavaScript heap out of memory", [],
    ),
    "go": (
        "panic: runtime error: index out of range [3] with length 0\n\ngoroutine 1 [running]:\nmain.f({0x7fff, 0x1})\n"
        "\t/app/x.go:3 +0x275\nmain.main()\n\t/app/x.go:4 +0x35\nexit status 2\n",
        "error", "panic", "runtime error: index out of range [3] with length 0",
        [("/app/x.go", 4, "main.main"), ("/app/x.go", 3, "main.f")],
    ),
    "go, deadlock": (
        "fatal error: all goroutines are asleep - deadlock!\n\ngoroutine 1 "
        "[semacquire]:\nmain.main()\n\t/app/x.go:4 +0x35\n",
        "error", "fatal error", "all goroutines are asleep - deadlock!", [("/app/x.go", 4, "main.main")],
    ),
    "go, a panic while panicking": (
        "panic: first\n\tpanic: second\n\ngoroutine 1 [running]:\nmain.main()\n\t/app/x.go:4 +0x35\n",
        "error", "panic", "second", [("/app/x.go", 4, "main.main")],
    ),
    "rust": (
        "\nthread 'main' panicked at src/main.rs:2:5:\nbad shape 0\n"
        "note: run with `RUST_BACKTRACE=1` environment variable to display a backtrace\n",
        "error", "panic", "bad shape 0", [("src/main.rs", 2, "")],
    ),
    "rust, before 1.73": (
        "thread 'main' panicked at 'bad shape 0', src/main.rs:2:5\n", "error", "panic", "bad shape 0",
        [("src/main.rs", 2, "")],
    ),
    "rust, text of several lines": (
        "thread 'main' (21616) panicked at m.rs:1:210:\nassertion `left == right` failed: two\nlines\n  left: "
        "3\n right: 4\n"
        "note: run with `RUST_BACKTRACE=1` environment variable to display a backtrace\n",
        "error", "panic", "assertion `left == right` failed: two\nlines\n  left: 3\n right: 4", [("m.rs", 1, "")],
    ),
    "rust, another thread": (
        "thread '<unnamed>' (21625) panicked at m.rs:1:274:\nin thread\nnote: run with `RUST_BACKTRACE=1` environment "
        "variable to display a backtrace\ngoes on\n",
        "warning", "panic", "in thread", [("m.rs", 1, "")],
    ),
    "rust, stack overflow": (
        "\nthread 'main' (21630) has overflowed its stack\nfatal runtime error: stack overflow, aborting\nAborted\n",
        "error", "stack overflow", "stack overflow, aborting", [],
    ),
    "ruby": (
        "x.rb:3:in `f': bad shape (RuntimeError)\n\tfrom x.rb:13:in `<main>'\n",
        "error", "RuntimeError", "bad shape", [("x.rb", 13, "<main>"), ("x.rb", 3, "f")],
    ),
    "ruby, text of two lines": (
        "x.rb:4:in `f': two (My)\nlines\n\tfrom x.rb:13:in `<main>'\n",
        "error", "My", "two\nlines", [("x.rb", 13, "<main>"), ("x.rb", 4, "f")],
    ),
    "perl": ("step 1\nbad shape at p.pl line 2.\n", "error", "died", "bad shape", [("p.pl", 2, "")]),
    "perl, confess": (
        "no data at p.pl line 2.\n\tmain::f(2) called at p.pl line 3\n",
        "error", "died", "no data", [("p.pl", 3, "main::f"), ("p.pl", 2, "")],
    ),
    "lua": (
        "lua5.3: x.lua:1: bad shape\nstack traceback:\n\t[C]: in function 'error'\n\tx.lua:1: in local 'f'\n"
        "\tx.lua:2: in main chunk\n\t[C]: in ?\n",
        "error", "error", "x.lua:1: bad shape", [("x.lua", 2, "main chunk"), ("x.lua", 1, "local 'f'")],
    ),
    "php": (
        "PHP Fatal error:  Uncaught RuntimeException: bad shape in /app/x.php:1\nStack trace:\n#0 /app/x.php(2): f()\n"
        "#1 {main}\n  thrown in /app/x.php on line 1\n",
        "error", "RuntimeException", "bad shape", [("/app/x.php", 2, "f()"), ("/app/x.php", 1, "")],
    ),
    "r": ("Error in g(k) : bad shape\nCalls: f -> g\nExecution halted\n", "error", "Error", "bad shape", []),
    "r, a long line": (
        "Error in g(k) : \n  a very long message\nCalls: f -> g\nExecution halted\n",
        "error", "Error", "a very long message", [],
    ),
    "r, no call": ("Error: no call\nExecution halted\n", "error", "Error", "no call", []),
    "r, with warnings": (
        'Error in file(file, "rt") : cannot open the connection\nCalls: f -> read.csv\n'
        "In addition: Warning message:\nIn file(file, \"rt\") :\n  cannot open file '/nope.csv'\nExecution halted\n",
        "error", "Error", "cannot open the connection", [],
    ),
    "julia": (
        "ERROR: LoadError: UndefVarError: `x` not defined\nStacktrace:\n [1] f(y::Int64)\n   @ Main ~/t.jl:3\n"
        " [2] top-level scope\n   @ ~/t.jl:5\nin expression starting at /root/t.jl:5\n",
        "error", "UndefVarError", "`x` not defined", [("~/t.jl", 5, "top-level scope"), ("~/t.jl", 3, "f")],
    ),
    "octave": (
        "error: 'k' undefined near line 2, column 6\nerror: called from\n    x at line 2 column 7\n",
        "error", "error", "'k' undefined near line 2, column 6", [("", 2, "x")],
    ),
}  # fmt: skip

SHELLS: dict[str, Sample] = {
    name: (f"start\n{line}\n", "error", kind, line, [])
    for name, kind, line in (
        ("bash", "CommandNotFound", "bash: line 1: foo: command not found"),
        ("bash -c", "CommandNotFound", "bash: foo: command not found"),
        ("a script", "CommandNotFound", "train.sh: line 3: python: command not found"),
        ("dash", "CommandNotFound", "/bin/sh: 1: foo: not found"),
        ("exec", "CommandNotFound", "dash: 1: exec: foo: not found"),
        ("zsh", "CommandNotFound", "zsh: command not found: foo"),
        ("env", "CommandNotFound", "/usr/bin/env: ‘python’: No such file or directory"),
        ("nohup", "CommandNotFound", "nohup: failed to run command 'nothere': No such file or directory"),
        ("make cannot run", "CommandNotFound", "make: nothere: No such file or directory"),
        ("no file", "NoSuchFile", "t.sh: line 4: ./nothere: No such file or directory"),
        ("no script", "NoSuchFile", "bash: nothere.sh: No such file or directory"),
        ("dash, no script", "NoSuchFile", "dash: 0: cannot open nothere.sh: No such file"),
        (
            "python, no script", "NoSuchFile",
            "/usr/bin/python3: can't open file '/w/x.py': [Errno 2] No such file or directory",
        ),
        ("python -m", "ModuleNotFound", "/usr/bin/python3: No module named nothere"),
        ("denied", "PermissionDenied", "bash: line 1: ./a.cpp: Permission denied"),
        ("dash, denied", "PermissionDenied", "sh: 1: ./run.sh: Permission denied"),
        ("another machine's", "NotExecutable", "bash: ./x: cannot execute binary file: Exec format error"),
        ("interpreter", "NotExecutable", "bash: ./s1: cannot execute: required file not found"),
        ("syntax", "ShellSyntaxError", "t.sh: line 8: syntax error near unexpected token `then'"),
        ("dash, syntax", "ShellSyntaxError", "dash: 1: Syntax error: Missing '))'"),
        ("unbound", "UnboundVariable", "bash: line 1: U: unbound variable"),
        (
            "library", "LibraryNotFound",
            "python: error while loading shared libraries: libcudart.so.11.0: cannot open shared object file: No such "
            "file or directory",
        ),
        (
            "glibc", "LibraryNotFound",
            "./a.out: /lib/x86_64-linux-gnu/libc.so.6: version `GLIBC_2.34' not found (required by ./a.out)",
        ),
        (
            "container", "CommandNotFound",
            'OCI runtime exec failed: exec failed: unable to start container process: exec: "pythn": executable file '
            'not '
            "found in $PATH: unknown",
        ),
        ("argparse", "UsageError", "train.py: error: unrecognized arguments: --foo"),
        ("click", "UsageError", "Error: No such option: --foo"),
    )
}  # fmt: skip

LAUNCHERS: dict[str, Sample] = {
    "make": ("false\nmake: *** [Makefile:4: b] Error 1\n", "error", "MakeError", "*** [Makefile:4: b] Error 1", []),
    "make, a signal": (
        "./a.out 6\nmake: *** [Makefile:2: all] Segmentation fault\n", "error", "Segmentation fault",
        "*** [Makefile:2: all] Segmentation fault", [],
    ),
    "slurm, memory": (
        "epoch 1\nslurmstepd: error: Detected 1 oom_kill event in StepId=1.0. Some of the step tasks have been OOM "
        "Killed.\nsrun: error: node1: task 0: Out Of Memory\n",
        "error", "OutOfMemory",
        "Detected 1 oom_kill event in StepId=1.0. Some of the step tasks have been OOM Killed.", [],
    ),
    "slurm, time": (
        "slurmstepd: error: *** JOB 12 ON node1 CANCELLED AT 2024-01-01T00:00:00 DUE TO TIME LIMIT ***\n",
        "error", "TimeLimit", "*** JOB 12 ON node1 CANCELLED AT 2024-01-01T00:00:00 DUE TO TIME LIMIT ***", [],
    ),
    "srun": (
        "srun: error: node1: task 3: Exited with exit code 1\nsrun: Terminating StepId=1.0\n",
        "error", "ProcessFailed", "node1: task 3: Exited with exit code 1", [],
    ),
    "mpi abort": (
        "hello\n-----------------------------\nMPI_ABORT was invoked on rank 3 in communicator MPI_COMM_WORLD\n"
        "with errorcode 1.\n\nNOTE: invoking MPI_ABORT causes Open MPI to kill all MPI processes.\n",
        "error", "MPI_ABORT", "MPI_ABORT was invoked on rank 3 in communicator MPI_COMM_WORLD", [],
    ),
    "mpirun": (
        "mpirun noticed that process rank 1 with PID 0 on node x exited on signal 9 (Killed).\n",
        "error", "Killed", "mpirun noticed that process rank 1 with PID 0 on node x exited on signal 9 (Killed).", [],
    ),
    "deepspeed": (
        "[2023-07-10 04:26:05,876] [INFO] [launch.py:318:sigkill_handler] Killing subprocess 94984\n"
        "[2023-07-10 04:26:05,876] [INFO] [launch.py:318:sigkill_handler] Killing subprocess 94985\n"
        "[2023-07-10 04:26:35,999] [ERROR] [launch.py:324:sigkill_handler] ['/bin/python3', 'x.py'] exits with return "
        "code = -11\n",
        "error", "ProcessFailed", "['/bin/python3', 'x.py'] exits with return code = -11", [],
    ),
}  # fmt: skip

SAMPLES: dict[str, Sample] = NATIVE | LANGUAGES | SHELLS | LAUNCHERS
