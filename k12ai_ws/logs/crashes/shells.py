"""What shells, the loader, make and argument parsers say when a command cannot be run.

Sources: bash, dash, zsh and busybox; `env`, `nohup`, `timeout`; glibc's `ld.so`; CPython's `main.c`; GNU make;
`argparse` and `click`; runc's and Docker's words on a container's command.
"""

from .kind import Kind, Policy, pattern

_SHELL = r"(?:[\w./-]{0,200}/)?-?(?:ba|da|z|k|a|c|tc|fi|mk)?sh|busybox"
_NUMBERED = r"[^\s:][^:]{0,300}: (?:-c: )?(?:line )?\d{1,7}"
_LEAD = rf"(?:(?:{_NUMBERED}|{_SHELL}): ){{1,2}}(?:eval: |exec: |\.: |source: |cd: )?"
_WRAPPER = r"(?:[\w./-]{0,100}/)?(?:env|nohup|timeout|nice|ionice|taskset|numactl|stdbuf|setsid|chroot|xargs|sudo|time)"
_QUOTED = r"[‘'\"]?[^’'\":\s]{1,300}[’'\"]?"

SHELLS: tuple[Kind, ...] = (
    Kind(
        "command-not-found",
        ("not found",),
        pattern(
            rf"(?P<text>(?:{_LEAD}[^:]{{1,300}}: (?:command )?not found"
            rf"|[^\s:][^:]{{0,200}}: [^\s:]{{1,300}}: command not found"
            r"|(?:[\w./-]{0,100}/)?zsh:(?:\d{1,7}:)? command not found: \S{1,300}"
            rf"|{_WRAPPER}: [^\s:]{{1,300}}: command not found))$"
        ),
        Policy.OPEN,
        "shell",
        "CommandNotFound",
    ),
    Kind(
        "cannot-run",
        (": failed to run", "No such file", "make"),
        pattern(
            rf"(?P<text>{_WRAPPER}: (?:failed to run command |cannot run command |failed to execute )?{_QUOTED}: "
            r"No such file or directory|(?:g|gnu)?make(?:\[\d{1,4}\])?: [^\s:]{1,300}: (?:No such file or directory"
            r"|Command not found|Permission denied))$"
        ),
        Policy.OPEN,
        "shell",
        "CommandNotFound",
    ),
    Kind(
        "no-such-file",
        ("No such file",),
        pattern(
            rf"(?P<text>{_LEAD}[^:]{{1,300}}: No such file(?: or directory)?"
            r"|\S{0,300}python[\d.]*t?: can't open file '?[^']{1,600}'?: \[Errno \d\] No such file or directory"
            r"|Can't open perl script \"[^\"]{1,300}\": No such file or directory"
            r"|Fatal error: cannot open file '[^']{1,300}': No such file or directory)$"
        ),
        Policy.OPEN,
        "shell",
        "NoSuchFile",
    ),
    Kind(
        "no-module",
        ("No module named ", "module specification for"),
        pattern(
            r"(?P<text>\S{0,300}python[\d.]*t?: (?:No module named \S{1,300}"
            r"|Error while finding module specification for '[^']{1,300}' \(.{1,400}\)))(?P<hint>;.{0,300})?$"
        ),
        Policy.OPEN,
        "shell",
        "ModuleNotFound",
    ),
    Kind(
        "denied",
        ("Permission denied",),
        pattern(
            rf"(?P<text>{_LEAD}[^:]{{1,300}}: Permission denied"
            r"|\S{0,300}python[\d.]*t?: can't open file '?[^']{1,600}'?: \[Errno \d\d\] Permission denied)$"
        ),
        Policy.OPEN,
        "shell",
        "PermissionDenied",
    ),
    Kind(
        "not-executable",
        ("cannot execute", "Exec format", "bad interpreter", "Text file busy", "Is a directory"),
        pattern(
            rf"(?P<text>{_LEAD}[^:]{{1,300}}: (?:cannot execute(?: binary file|: .{{1,200}})?(?:: Exec format error)?"
            r"|Exec format error|\S{1,300}: bad interpreter: .{1,200}|Text file busy|Is a directory"
            r"|bad interpreter: .{1,200}))$"
        ),
        Policy.OPEN,
        "shell",
        "NotExecutable",
    ),
    Kind(
        "shell-syntax",
        ("yntax error", "unexpected EOF", "unterminated", "Unterminated"),
        pattern(
            rf"(?P<text>{_LEAD}(?:syntax error[: ].{{1,300}}|Syntax error: .{{1,300}}|unexpected EOF while .{{1,300}}"
            r"|[Uu]nterminated .{1,300}))$"
        ),
        Policy.OPEN,
        "shell",
        "ShellSyntaxError",
        more=pattern(rf"(?:{_NUMBERED}): `"),
    ),
    Kind(
        "unbound",
        ("unbound variable", "parameter not set"),
        pattern(rf"(?P<text>{_LEAD}\w{{1,200}}: (?:unbound variable|parameter not set))$"),
        Policy.OPEN,
        "shell",
        "UnboundVariable",
    ),
    Kind(
        "loader",
        ("error while loading shared libraries", "' not found (required by"),
        pattern(
            r"(?P<text>[^\s:]{1,400}: (?:error while loading shared libraries: .{1,600}"
            r"|(?:[^\s:]{1,400}: )?version [`'](?P<version>[\w.]{1,80})' not found \(required by .{1,400}\)))$"
        ),
        Policy.OPEN,
        "shell",
        "LibraryNotFound",
    ),
    Kind(
        "container",
        ("exec: ",),
        pattern(
            r"(?P<text>(?:docker|Error|OCI|exec|container|runc|time=|level=|oci|unable to start|starting container"
            r"|podman|crun).{0,800}?exec: \\?\"[^\"\\]{1,300}\\?\": (?:executable file not found in \$PATH"
            r"|permission denied|no such file or directory|is a directory|exec format error|stat .{1,200}).{0,200})$"
        ),
        Policy.OPEN,
        "container",
        "CommandNotFound",
    ),
    Kind(
        "container-refused",
        ("Error response from daemon: ", "exec "),
        pattern(
            r"(?P<text>docker: Error response from daemon: .{1,2000}"
            r"|exec \S{1,400}: (?:exec format error|no such file or directory|permission denied))$"
        ),
        Policy.OPEN,
        "container",
        "ContainerRefused",
        more=pattern(r"See 'docker |Run 'docker "),
    ),
    Kind(
        "make-no-rule",
        ("*** No rule to make target ",),
        pattern(r"(?:g|gnu)?make(?:\[\d{1,4}\])?: (?P<text>\*\*\* No rule to make target .{1,600})$"),
        Policy.OPEN,
        "make",
        "MakeError",
    ),
    Kind(
        "git",
        ("fatal: ",),
        pattern(r"fatal: (?P<text>(?:repository |unable to |[cC]ould not |couldn't |Authentication ).{1,600})$"),
        Policy.LAST,
        "shell",
        "GitError",
    ),
    Kind(
        "pip",
        ("ERROR: ",),
        pattern(
            r"ERROR: (?P<text>(?:No matching distribution found for |Could not find a version that satisfies "
            r"|Could not open requirements file: |Cannot install |Invalid requirement: "
            r"|Failed to build installable wheels |Failed to build '[^']{1,200}' when |Failed building wheel for )"
            r".{1,2000})$"
        ),
        Policy.LAST,
        "shell",
        "PipError",
        more=pattern(
            r"ERROR: (?:No matching distribution|Could not |ResolutionImpossible|Failed |Ignored the following)"
            r"|\[notice\]|WARNING: You are using pip"
        ),
    ),
    Kind(
        "make",
        ("*** [",),
        pattern(
            r"(?:g|gnu)?make(?:\[\d{1,4}\])?: (?P<text>\*\*\* \[[^\]]{1,300}\] (?:Error \d{1,6}|"
            r"(?P<type>Segmentation fault"
            r"|Aborted|Killed|Bus error|Illegal instruction|Floating point exception|Terminated|Interrupt)).{0,60})$"
        ),
        Policy.SUMMARY,
        "make",
        "MakeError",
        more=pattern(r"(?:g|gnu)?make(?:\[\d{1,4}\])?: "),
        mild=True,
    ),
    Kind(
        "usage",
        ("rror: ",),
        pattern(
            r"(?P<text>(?:[\w./-][\w./ -]{0,200}: error: (?:unrecognized arguments: "
            r"|the following arguments are required: "
            r"|argument .{1,300}?: (?:invalid |expected |not allowed |ignored |conflicting |can't )|ambiguous option: "
            r"|one of the arguments |too few arguments|no such option: |unknown option |option \S{1,100} requires "
            r"|invalid choice: ).{0,2000}"
            r"|Error: (?:No such option|Missing (?:option|argument|parameter|command)|Invalid value for"
            r"|Got unexpected extra argument|No such command|Option \S{1,100} requires|Unexpected extra).{0,2000}))$"
        ),
        Policy.LAST,
        "shell",
        "UsageError",
    ),
)
