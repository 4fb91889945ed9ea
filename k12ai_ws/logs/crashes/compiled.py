"""Stack traces of languages that compile to a virtual machine or to native code: JVM, .NET, Go, Rust.

Sources: `Throwable.printStackTrace`, .NET's unhandled exception handler, Go's runtime `printpanics` and `traceback`,
Rust's default panic hook.
"""

from .kind import Kind, Policy, pattern

_JAVA_TYPE = r"(?:[a-zA-Z_][\w$]*\.){1,15}[A-Z_$][\w$]*"
_JAVA_FRAME = pattern(
    r"(?:\t| {1,8})at (?P<func>[\w$.<>/@ -]{1,500}?)\((?P<file>[^():]{1,300})"
    r"(?::(?P<line>\d{1,7}))?\)(?: ~?\[.{0,200}\])?$"
)
_JAVA_MORE = pattern(
    r"\s{1,20}\.\.\. \d{1,6} (?:more|common frames omitted)|\s{1,20}(?:Suppressed|Caused by): "
    r"|\s{1,20}(?:at|-) |Driver stacktrace:$"
)
_JAVA_LINK = pattern(rf"Caused by: (?P<type>{_JAVA_TYPE}|[A-Z][\w$]*)(?:: (?P<text>.*))?$")
_JAVA_LIBRARY = pattern(
    r"(?:[\w.]{1,60}/)?(?:java|javax|jdk|sun|com\.sun|scala|kotlin"
    r"|groovy|akka|io\.netty|py4j|org\.(?:apache|scala|spring\w*))"
    r"[./]"
)
_GO_LIBRARY = pattern(r".*/(?:go[\d.-]*/src|pkg/mod|libexec/src)/")
_RUST_LIBRARY = pattern(r"/rustc/|.*/\.cargo/registry/|.*/rustlib/|library/(?:std|core|alloc)/")

COMPILED: tuple[Kind, ...] = (
    Kind(
        "java-uncaught",
        ('Exception in thread "',),
        pattern(
            rf'Exception in thread "(?P<thread>[^"]{{0,200}})" (?P<type>{_JAVA_TYPE}|[A-Z][\w$]*)(?:: (?P<text>.*))?$'
        ),
        Policy.FATAL,
        "java",
        frame=_JAVA_FRAME,
        more=_JAVA_MORE,
        link=_JAVA_LINK,
        text_lines=20,
        main_thread="main",
        library=_JAVA_LIBRARY,
    ),
    Kind(
        "java",
        ("xception", "Error", "Throwable"),
        pattern(rf"(?P<type>{_JAVA_TYPE})(?:: (?P<text>.*))?$"),
        Policy.OPEN,
        "java",
        frame=_JAVA_FRAME,
        more=_JAVA_MORE,
        link=_JAVA_LINK,
        proof=_JAVA_FRAME,
        vague=True,
        text_lines=20,
        library=_JAVA_LIBRARY,
    ),
    Kind(
        "java-launcher",
        ("Error: Could not find or load", "Error: Unable to access jarfile"),
        pattern(r"Error: (?P<text>(?:Could not find or load main class|Unable to access jarfile) .{1,400})$"),
        Policy.LAST,
        "java",
        "ClassNotFound",
        more=pattern(r"Caused by: "),
    ),
    Kind(
        "csharp",
        ("Unhandled exception. ", "Unhandled Exception: ", "UNHANDLED EXCEPTION: "),
        pattern(
            r"(?:\[ERROR\] FATAL )?(?:Unhandled exception\. |Unhandled Exception: |UNHANDLED EXCEPTION: )"
            r"(?P<type>[A-Za-z_][\w.+`]{0,300})(?:: (?P<text>.*))?$"
        ),
        Policy.FATAL,
        "csharp",
        frame=pattern(
            r"\s{1,8}at (?P<func>[^\s(][^(]{0,400})\([^)]{0,800}\)"
            r"(?: (?:in (?P<file>.{1,400}):line (?P<line>\d{1,7})|.{0,200}))?$"
        ),
        more=pattern(r"--- End of |\s{1,8}at "),
        back=pattern(r"\s{1,8}--- End of "),
        link=pattern(r"\s{0,4}---> (?:\(Inner Exception #\d{1,4}\) )?(?P<type>[A-Za-z_][\w.+`]{0,300}): (?P<text>.*)$"),
        text_lines=20,
        library=pattern(r"(?:System|Microsoft|Mono|Interop|TorchSharp)\."),
    ),
    Kind(
        "go",
        ("panic: ", "fatal error: "),
        pattern(r"(?:panic: |(?P<type>fatal error): )(?P<text>.*)$"),
        Policy.FATAL,
        "go",
        "panic",
        frame=pattern(r"\t(?P<file>[^\s:]{1,400}):(?P<line>\d{1,7})(?: \+0x[0-9a-f]{1,16})?$"),
        named_above=True,
        more=pattern(
            r"goroutine \d|\[signal |[^\s(]{1,300}\(.{0,400}\)$|created by |r[a-z0-9]{1,2} +0x|exit status \d"
        ),
        following=pattern(r"\tpanic: (?P<text>.*)$"),
        relation="context",
        proof=pattern(r"goroutine \d{1,12} (?:gp=\S+ m=\S+ )?.{0,60}\["),
        end=pattern(r"exit status \d{1,5}$"),
        text_lines=30,
        library=_GO_LIBRARY,
    ),
    Kind(
        "rust",
        ("' panicked at ", ") panicked at "),
        pattern(
            r"thread '(?P<thread>[^']{0,100})' (?:\(\d{1,10}\) )?panicked at (?:'(?P<text>.*)', )?"
            r"(?P<file>[^\s:',][^:']{0,400}):(?P<line>\d{1,7})(?::\d{1,7}){1,2}:?$|"
            r"thread '(?P<thread2>[^']{0,100})' (?:\(\d{1,10}\) )?panicked at '(?P<text2>.*)$"
        ),
        Policy.FATAL,
        "rust",
        "panic",
        frame=pattern(r"\s{6,30}at (?P<file>[^\s:]{1,400}):(?P<line>\d{1,7})(?::\d{1,7})?$"),
        named_above=True,
        more=pattern(r"stack backtrace:$|note: |\s{1,4}\d{1,4}: |\s{6,30}at |fatal runtime error: "),
        text_lines=30,
        free_text=True,
        main_thread="main",
        library=_RUST_LIBRARY,
    ),
    Kind(
        "rust-overflow",
        ("fatal runtime error: ",),
        pattern(r"fatal runtime error: (?P<text>(?P<type>stack overflow)?.*)$"),
        Policy.FATAL,
        "rust",
        "fatal runtime error",
    ),
)
