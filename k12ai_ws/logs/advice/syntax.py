"""Advice on code that Python cannot read."""

from .entry import Advice, advice, optional

_SYNTAX = "SyntaxError"

SYNTAX: tuple[Advice, ...] = (
    advice(
        "TabError",
        "",
        r"",
        "tabs and spaces are mixed at the beginnings of lines: use spaces alone (editors can convert them)",
        "行首混用了制表符和空格: 请统一使用空格 (编辑器可以转换)",
    ),
    advice(
        "IndentationError",
        "expected an indented block",
        optional(r"after (.{1,60}?) on line (\d+)"),
        "the line after a colon must be indented[[ (after the {1} on line {2})]]: indent it by 4 spaces, or write pass",
        "冒号之后的行必须缩进[[ (第{2}行)]]: 请缩进4个空格, 或写pass",
    ),
    advice(
        "IndentationError",
        "",
        r"",
        "the lines of a block must begin with the same spaces: do not mix tabs and spaces",
        "同一代码块的缩进必须一致: 请勿混用制表符和空格",
    ),
    advice(
        _SYNTAX,
        "expected ':'",
        r"",
        "a colon is missing at the end of this line",
        "此行末尾缺少冒号",
    ),
    advice(
        _SYNTAX,
        "was never closed",
        optional(r"'(.)' was never closed"),
        "a bracket[[ {1}]] is opened here and never closed: add the closing one",
        "此处的括号[[{1}]]没有闭合: 请补上右括号",
    ),
    advice(
        _SYNTAX,
        "unmatched '|does not match opening",
        r"(?:unmatched|parenthesis) '(.)'",
        "the closing bracket {1} fits no opening one: count the brackets in this line and above",
        "右括号{1}没有对应的左括号: 请检查此行及上方的括号",
    ),
    advice(
        _SYNTAX,
        "unterminated string literal|EOL while scanning string|unterminated triple-quoted|EOF while scanning "
        "triple-quoted"
        "|unterminated f-string",
        r"",
        "a text begins with a quote that is never closed: add the same quote at its end (three for several lines)",
        "字符串的引号没有闭合: 请在末尾补上相同的引号 (多行用三引号)",
    ),
    advice(
        _SYNTAX,
        "Missing parentheses in call to",
        r"call to '(\w{1,80})'",
        "this is Python 2: write {1}(...) with brackets",
        "这是Python 2的写法: 请写成带括号的{1}(...)",
    ),
    advice(
        _SYNTAX,
        "invalid character|invalid non-printable character",
        r"character '?(.)'? ?\((U\+[0-9A-F]+)\)|character (U\+[0-9A-F]+)",
        "Python does not know the character {1}{3} here, perhaps a Chinese comma, bracket or quote: write it in half "
        "width "
        '(, ( " :)',
        'Python不认识字符{1}{3}, 可能是中文标点: 请改为半角符号 (, ( " :)',
    ),
    advice(
        _SYNTAX,
        "Maybe you meant '=='|cannot assign to",
        r"",
        "a single = gives a value and cannot stand here: to compare, write ==",
        "单个=用于赋值, 不能用在此处: 比较请写==",
    ),
    advice(
        _SYNTAX,
        "forgot a comma",
        r"",
        "a comma or an operator is missing between two values in this line",
        "此行的两个值之间缺少逗号或运算符",
    ),
    advice(
        _SYNTAX,
        "unicodeescape",
        r"",
        "in a text a backslash begins a special character: write paths as r'C:\\data' or with /",
        "字符串中的反斜杠有特殊含义: 路径请写成r'C:\\data'或使用/",
    ),
    advice(
        _SYNTAX,
        "codec can't decode|Non-UTF-8 code",
        r"",
        "the source file is not UTF-8: save it as UTF-8, or begin it with # -*- coding: gbk -*-",
        "源文件不是UTF-8编码: 请另存为UTF-8, 或在首行加 # -*- coding: gbk -*-",
    ),
    advice(
        _SYNTAX,
        "outside function|outside loop|outside async function",
        r"'?(\w{1,80})'? (?:outside|not properly in loop)",
        "{1} stands outside the function or loop it belongs to: check the indentation",
        "{1}不在所属的函数或循环内: 请检查缩进",
    ),
    advice(
        _SYNTAX,
        "positional argument follows keyword argument",
        r"",
        "values without a name must come before those with one: f(2, a=1)",
        "不带名称的参数必须写在带名称的参数之前: f(2, a=1)",
    ),
    advice(
        _SYNTAX,
        "expected 'except' or 'finally' block",
        r"",
        "a try needs an except or finally block after it",
        "try之后需要except或finally代码块",
    ),
    advice(
        _SYNTAX,
        "f-string",
        r"",
        "the braces of an f-string hold something that this Python cannot read: use other quotes inside than outside "
        "(before "
        "3.12), and write {{ for a brace itself",
        "f字符串的花括号内有误: 内外引号须不同 (3.12之前), 花括号本身写作{{",
    ),
    advice(
        _SYNTAX,
        "",
        r"",
        "lines that begin with ! or % are commands of notebooks (Jupyter), no Python: remove them, and install "
        "packages in the "
        "job's image",
        "以!或%开头的行是笔记本 (Jupyter) 命令, 不是Python: 请删除, 并在任务的镜像中安装所需的包",
        source=r"^\s*[!%]\w",
    ),
    advice(
        _SYNTAX,
        "",
        r"",
        "match, except* or another new form needs a newer Python than this one: use an image with it, or write it "
        "the older way",
        "match、except*等新语法需要更新的Python: 请使用更新的镜像, 或改用旧写法",
        source=r"^\s*(?:match [^=(]{1,300}:|except\*|type \w{1,80} ?=)",
    ),
    advice(
        _SYNTAX,
        "",
        r"",
        "Python has no ++ and --: write x += 1",
        "Python没有++和--: 请写x += 1",
        source=r"\w(?:\+\+|--)\s*$",
    ),
    advice(
        _SYNTAX,
        "",
        r"",
        "Python cannot read this line: look at it and the one above for brackets, quotes and colons",
        "Python无法解析此行: 请检查此行及上一行的括号、引号和冒号",
    ),
)
"""Tried in this order; the first that holds speaks."""
