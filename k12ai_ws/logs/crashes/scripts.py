"""Stack traces of scripting languages: JavaScript, Ruby, Perl, Lua, PHP, R, Julia, Octave.

Sources: Node's uncaught exception report and V8's stack traces, Ruby's and Perl's messages on standard error, Lua's
`debug.traceback`, PHP's fatal errors, Rscript's `Execution halted`, Julia's `Stacktrace:`, Octave's `called from`.
"""

from .kind import Kind, Policy, pattern

_JS_FRAME = pattern(
    r"\s{1,20}at (?:(?:async )?(?P<func>[^()]{1,300}) \()?"
    r"(?P<file>(?:file://|node:|[A-Za-z]:[\\/]|[^\s():])[^():]{0,400})"
    r":(?P<line>\d{1,7}):\d{1,7}\)?(?: \{)?$"
)
_RUBY = r"(?P<file>[^\s:<][^:]{0,400}|<internal:[^>]{1,300}>):(?P<line>\d{1,7}):in [`'](?P<func>[^'`]{1,300})'"
_LUA_FRAME = pattern(r"\s{1,8}(?P<file>[^\s:\[][^:]{0,300}):(?P<line>\d{1,7}): in (?P<func>.{1,300})$")
_LUA_MORE = pattern(r"stack traceback:$|\s{1,8}\[C\]: |\s{1,8}\.\.\.|\s{1,8}\(\.\.\.")
_SCRIPT_LIBRARY = pattern(
    r"node:|.*/node_modules/|.*/gems/|<internal:|/usr/(?:lib|share)/|\./[a-zA-Z]+\.jl$|.*/\.julia/"
)

SCRIPTS: tuple[Kind, ...] = (
    Kind(
        "javascript-memory",
        ("heap out of memory", "invalid array length"),
        pattern(r"FATAL ERROR: (?P<text>.{1,300})$"),
        Policy.FATAL,
        "javascript",
        "OutOfMemory",
        more=pattern(r"-{3,6} Native stack|\s{0,3}\d{1,3}: 0x|\s*$"),
    ),
    Kind(
        "javascript",
        ("Error: ", "Error [", "Exception: ", "Rejection: ", "Error"),
        pattern(
            r"(?:Uncaught |\[?(?:unhandledRejection|uncaughtException)\]?:? )?"
            r"(?P<type>(?:[A-Z]\w{0,80})?(?:Error|Exception|Rejection))"
            r"(?: \[(?P<code>\w{1,80})\])?(?:: (?P<text>.*))?$"
        ),
        Policy.OPEN,
        "javascript",
        frame=_JS_FRAME,
        more=pattern(r"\s{2,20}at |\s{1,20}\.\.\. \d{1,6} lines matching|\s{2,20}\[?\w{1,60}\]?: |\s{0,20}[\]}],?$"),
        link=pattern(r"\s{2,20}\[cause\]: (?P<type>[A-Z]\w{0,80})(?: \[\w{1,80}\])?: (?P<text>.*)$"),
        proof=_JS_FRAME,
        vague=True,
        end=pattern(r"Node\.js v\d{1,3}\.\d"),
        text_lines=20,
        library=_SCRIPT_LIBRARY,
    ),
    Kind(
        "ruby",
        (":in `", ":in '", "ruby: "),
        pattern(rf"(?:{_RUBY}|ruby): (?P<text>.*) \((?P<type>[A-Z][\w:]{{0,200}})\)$"),
        Policy.OPEN,
        "ruby",
        frame=pattern(rf"\s{{1,8}}(?:\d{{1,6}}: )?from {_RUBY}$"),
        more=pattern(r"\s{1,8}(?:\d{1,6}: )?from |\s{1,80}\^|\s{2,20}\S"),
        link=pattern(rf"{_RUBY}: (?P<text>.*) \((?P<type>[A-Z][\w:]{{0,200}})\)$"),
        text_lines=8,
        free_text=True,
        library=_SCRIPT_LIBRARY,
    ),
    Kind(
        "perl",
        (" line ",),
        pattern(
            r"(?P<text>.{1,4000}?) at (?P<file>[^\s\"']{1,300}\.(?:pl|pm|t|PL|cgi)|-e"
            r"|\(eval \d{1,6}\)) line (?P<line>\d{1,7})"
            r"(?:\.|, (?:<[^<>]{1,80}> (?:line|chunk) \d{1,9}\.|near \".{0,400}|at end of line))?$"
        ),
        Policy.LAST,
        "perl",
        "died",
        frame=pattern(
            r"\s{1,8}(?P<func>[\w:]{1,200})\(.{0,400}\) called at (?P<file>\S{1,300}) line (?P<line>\d{1,7})$"
        ),
        more=pattern(
            r"Execution of \S{1,300} aborted due|BEGIN failed--|Compilation failed in|\s{1,8}\S.{0,400} called at "
        ),
        library=pattern(r"/usr/|.*/perl5/"),
    ),
    Kind(
        "ruby-syntax",
        ("syntax error",),
        pattern(r"(?P<file>[^\s:]{1,300}\.rb):(?P<line>\d{1,7}): (?P<text>syntax errors?\b.{0,400})$"),
        Policy.LAST,
        "ruby",
        "SyntaxError",
        more=pattern(r"[^\s:]{1,300}\.rb:\d{1,7}: |\s{0,80}\^|.{0,200}\S = |\s"),
    ),
    Kind(
        "lua-named",
        ("lua", "th: ", "torch: "),
        pattern(r"(?:\S{0,200}/)?(?:lua|luajit|th|qlua|torch)[\d.-]{0,8}: (?P<text>.*)$"),
        Policy.OPEN,
        "lua",
        "error",
        frame=_LUA_FRAME,
        more=_LUA_MORE,
        proof=pattern(r"stack traceback:$"),
        text_lines=40,
        library=_SCRIPT_LIBRARY,
    ),
    Kind(
        "lua",
        ("stack traceback:",),
        pattern(r"stack traceback:$"),
        Policy.OPEN,
        "lua",
        "error",
        frame=_LUA_FRAME,
        more=_LUA_MORE,
        before=pattern(r"(?:\S{0,200}/)?(?:lua|luajit|th|qlua|torch)[\w.-]{0,20}: (?P<text>.*)$"),
        library=_SCRIPT_LIBRARY,
    ),
    Kind(
        "php",
        ("Fatal error: ", "Parse error: "),
        pattern(
            r"(?:PHP )?Fatal error:\s{1,2}Uncaught (?P<type>[A-Za-z_][\w\\]{0,200}): "
            r"(?P<text>(?:(?! in /).){0,4000})(?: in (?P<file>\S{1,300}):(?P<line>\d{1,7}))?$"
            r"|(?:PHP )?(?P<type2>Fatal|Parse) error:\s{1,2}(?P<text2>.{1,2000}?) in (?P<file2>\S{1,300})"
            r" on line (?P<line2>\d{1,7})$"
        ),
        Policy.FATAL,
        "php",
        frame=pattern(r"#\d{1,6} (?P<file>[^\s()]{1,300})\((?P<line>\d{1,7})\): (?P<func>.{1,300})$"),
        more=pattern(r"Stack trace:$|#\d{1,6} |\s{1,4}thrown in "),
        following=pattern(
            r"Next (?P<type>[A-Za-z_][\w\\]{0,200}): (?P<text>.{0,4000}?) in (?P<file>\S{1,300}):(?P<line>\d{1,7})$"
        ),
        text_lines=8,
        library=pattern(r".*/vendor/|/usr/share/"),
    ),
    Kind(
        "r",
        ("Error in ", "Error: ", "Error : "),
        pattern(
            r"Error (?:in (?P<func>.{1,400}?) )?: ?(?P<text>.*)$|Error: (?P<text2>.*)$|Error in (?P<func2>.{1,400}?):$"
        ),
        Policy.FATAL,
        "r",
        "Error",
        more=pattern(r"Calls: |In addition: Warning|Warning messages?:|In .{1,300} :|Backtrace:|\s{1,8}\d{1,3}\. "),
        later=pattern(r"\s{1,8}\S"),
        proof=pattern(r"Execution halted$"),
        end=pattern(r"Execution halted$"),
        text_lines=30,
    ),
    Kind(
        "julia",
        ("ERROR: ",),
        pattern(
            r"ERROR: (?:LoadError: |InitError: ){0,6}"
            r"(?:(?P<type>[A-Z]\w{0,80}(?:Error|Exception)|DimensionMismatch)(?:: |\())?(?P<text>.*)$"
        ),
        Policy.FATAL,
        "julia",
        "ErrorException",
        frame=pattern(r"\s{1,12}@ (?:[\w.]{1,200} )?(?P<file>[^\s:]{1,400}):(?P<line>\d{1,7})$"),
        named_above=True,
        more=pattern(r"Stacktrace:$|\s{0,4}\[\d{1,5}\] |\s{1,12}@ |in expression starting at |\s{1,8}\S"),
        link=pattern(r"caused by: (?:(?P<type>[A-Z]\w{0,80}(?:Error|Exception)): )?(?P<text>.*)$"),
        proof=pattern(r"Stacktrace:$|in expression starting at "),
        end=pattern(r"in expression starting at \S{1,400}:\d{1,7}$"),
        text_lines=20,
        library=_SCRIPT_LIBRARY,
    ),
    Kind(
        "octave",
        ("error: ",),
        pattern(r"error: (?P<text>(?!called from).{1,2000})$"),
        Policy.OPEN,
        "octave",
        "error",
        frame=pattern(r"\s{2,8}(?P<func>\S{1,200}) at line (?P<line>\d{1,7}) column \d{1,6}$"),
        more=pattern(r"error: called from|\s{2,8}\S{1,200}$|error: ignoring const"),
        proof=pattern(r"error: called from"),
        text_lines=8,
    ),
)
