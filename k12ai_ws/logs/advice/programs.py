"""Advice on names, types and syntax."""

from .entry import Advice, advice

PROGRAMS: tuple[Advice, ...] = (
    advice(
        "ModuleNotFoundError",
        r"No module named '?(cv2|sklearn|PIL|yaml|bs4|skimage)\b",
        "the module {1} is missing; its package has another name (cv2: opencv-python, sklearn: "
        "scikit-learn, PIL: pillow, yaml: pyyaml)",
        "缺少模块{1}, 其安装包名称不同 (cv2: opencv-python, sklearn: scikit-learn, PIL: pillow, yaml: pyyaml)",
    ),
    advice(
        "ModuleNotFoundError",
        r"No module named '?([\w.]+)",
        "the module {1} is not installed here, or its name is misspelt: check the import, or add the "
        "package to the image",
        "此环境没有安装模块{1}, 或名称拼写有误: 请检查import语句, 或在镜像中安装对应的包",
    ),
    advice(
        "ImportError",
        r"cannot import name '(\w+)' from '([\w.]+)'",
        "{2} has no {1}: the name is misspelt, the package is of another version, or two files import each other",
        "{2}中没有{1}: 名称拼写有误, 包的版本不同, 或两个文件互相导入",
    ),
    advice(
        "ImportError",
        r"(lib[\w.+-]+\.so[\w.]*)",
        "the system library {1} is missing in the image",
        "镜像中缺少系统库{1}",
    ),
    advice(
        "KeyError",
        r"(.+)",
        "nothing is stored under the key {1}: print the keys that exist, and check spelling and type (1 is not '1')",
        "没有名为{1}的键: 请打印已有的键, 并检查拼写和类型 (1与'1'不同)",
    ),
    advice(
        "IndexError",
        r"",
        "an index is beyond the end: the last valid one is the length minus 1; an empty list has none",
        "索引超出范围: 最后一个有效索引是长度减1, 空列表没有有效索引",
    ),
    advice(
        "ZeroDivisionError",
        r"",
        "something was divided by zero: often a dataset is empty, so that there are 0 samples or batches",
        "出现了除以零: 常见原因是数据集为空, 样本数或批次数为0",
    ),
    advice(
        "UnboundLocalError",
        r"variable '(\w+)'",
        "{1} is read before this function gives it a value: assign it first, or pass it as an argument",
        "函数在为{1}赋值之前读取了它: 请先赋值, 或作为参数传入",
    ),
    advice(
        "NameError",
        r"name '(\w+)' is not defined",
        "{1} is used before it gets a value: check the spelling, and that it is imported or assigned above",
        "{1}在赋值之前被使用: 请检查拼写, 并确认在前面已导入或赋值",
    ),
    advice(
        "AttributeError",
        r"'NoneType' object has no attribute '(\w+)'",
        "what stands before .{1} is None: the function that was to make it returned nothing",
        "{1}之前的对象是None: 本应产生它的函数没有返回值",
    ),
    advice(
        "AttributeError",
        r"module '([\w.]+)' has no attribute '(\w+)'",
        "{1} has no {2}: its version is another one, or a file of yours has the same name as the module",
        "{1}没有{2}: 版本不同, 或您的某个文件与该模块同名",
    ),
    advice(
        "AttributeError",
        r"'([\w.]+)' object has no attribute '(\w+)'",
        "a {1} has nothing called {2}: check the spelling, and that __init__ sets it",
        "{1}没有名为{2}的属性: 请检查拼写, 并确认__init__中已设置",
    ),
    advice(
        "TypeError",
        r"'NoneType' object is not (\w+)",
        "a value is None where something {1} is needed: a function forgot its return",
        "某个值是None, 无法使用 ({1}): 可能是函数忘记了return",
    ),
    advice(
        "TypeError",
        r"(\w+)\(\) missing (\d+) required positional arguments?: (.+)",
        "{1}() was called without {3}",
        "调用{1}()时缺少参数{3}",
    ),
    advice(
        "TypeError",
        r"(\w+)\(\) got an unexpected keyword argument '(\w+)'",
        "{1}() knows no argument {2}: check its spelling and the library's version",
        "{1}()没有参数{2}: 请检查拼写和库的版本",
    ),
    advice(
        "TypeError",
        r"can't convert (cuda:\d) device type tensor to numpy",
        "the tensor is on the GPU: call .cpu() before .numpy()",
        "张量在GPU上: 请在.numpy()之前调用.cpu()",
    ),
    advice(
        "TypeError",
        r"Object of type (\w+) is not JSON serializable",
        "JSON cannot hold a {1}: convert it with float(), int() or .tolist() first",
        "JSON无法保存{1}: 请先用float()、int()或.tolist()转换",
    ),
    advice(
        "TypeError",
        r"unsupported operand type\(s\) for (\S+): '(\w+)' and '(\w+)'",
        "{1} does not work between {2} and {3}: convert one of them first",
        "{2}与{3}之间不能使用{1}: 请先转换其中之一",
    ),
    advice(
        "TypeError",
        r"can only concatenate (\w+) \(not \"(\w+)\"\)",
        "a {2} cannot be joined to a {1}: convert it first, such as str(x)",
        "不能将{2}与{1}拼接: 请先转换, 如str(x)",
    ),
    advice(
        "IndentationError TabError",
        r"",
        "the lines of a block must begin with the same spaces: do not mix tabs and spaces",
        "同一代码块的缩进必须一致: 请勿混用制表符和空格",
    ),
    advice(
        "SyntaxError",
        r"expected ':'",
        "a colon is missing at the end of this line",
        "此行末尾缺少冒号",
    ),
    advice(
        "SyntaxError",
        r"was never closed",
        "a bracket is opened and never closed",
        "有括号没有闭合",
    ),
    advice(
        "SyntaxError",
        r"",
        "Python cannot read this line: look at it and the one above for brackets, quotes and colons",
        "Python无法解析此行: 请检查此行及上一行的括号、引号和冒号",
    ),
    advice(
        "RecursionError",
        r"",
        "a function calls itself without end: check the case in which it should stop",
        "函数无限递归: 请检查终止条件",
    ),
    advice(
        "ValueError",
        r"invalid literal for int\(\) with base 10: (.{1,60})",
        "{1} is no whole number: clean the text first, or use float()",
        "{1}不是整数: 请先清理文本, 或使用float()",
    ),
    advice(
        "ValueError",
        r"(?:too many|not enough) values to unpack \(expected (\d+)",
        "{1} names stand on the left of =, but the right side has another number of values",
        "等号左边有{1}个变量, 右边的值数量不同",
    ),
    advice(
        "CalledProcessError",
        r"Command '?(.{1,80}?)'? returned non-zero exit status (\d+)",
        "the command {1} failed with exit code {2}: its own output says why",
        "命令{1}以退出码{2}失败: 请查看其自身的输出",
    ),
    advice(
        "AssertionError",
        r"",
        "a condition that the code takes for granted does not hold: see the line of the assert",
        "代码中断言的条件不成立: 请查看assert所在行",
    ),
)
"""Tried in this order; the first that holds speaks."""
