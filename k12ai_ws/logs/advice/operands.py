"""Advice on values of the wrong type, in Python itself."""

from .entry import Advice, advice

_FUNCTION = "'(?:function|method|builtin_function_or_method)'"

OPERANDS: tuple[Advice, ...] = (
    advice(
        "TypeError",
        "non-iterable NoneType",
        r"",
        "several names stand on the left of =, but the value on the right is None: the function called there forgot "
        "its return, or found nothing",
        "等号左边有多个变量, 而右边的值是None: 所调用的函数可能忘记了return, 或没有找到结果",
    ),
    advice(
        "TypeError",
        "cannot unpack non-iterable",
        r"non-iterable ([\w.]{1,80})",
        "several names stand on the left of =, but the right side is one single value of type {1}: return as many "
        "values as there are names (return a, b)",
        "等号左边有多个变量, 而右边只有一个{1}类型的值: 请返回同样多的值 (return a, b)",
    ),
    advice(
        "TypeError",
        "'NoneType' object is not subscriptable|'NoneType' object does not support item",
        r"",
        "what stands before the [...] is None: the function that was to give it forgot its return, or found nothing",
        "[...]之前的值是None: 产生它的函数可能忘记了return, 或没有找到结果",
    ),
    advice(
        "TypeError",
        "'NoneType' object is not callable",
        r"",
        "what stands before the (...) is None, no function: it was never set, or the function that was to give it "
        "forgot its return",
        "(...)之前的值是None而不是函数: 它从未赋值, 或产生它的函数忘记了return",
    ),
    advice(
        "TypeError",
        "'NoneType'",
        r"'NoneType' object (?:is not|does not support|cannot be interpreted)|type 'NoneType' (?:is not|has no)",
        "a value is None where this line needs a real one (a list, a text, a number): a function forgot its return, or "
        "found nothing",
        "某个值是None, 而此处需要真正的值 (列表、文本或数字): 可能是函数忘记了return, 或没有找到结果",
    ),
    advice(
        "TypeError",
        "'function'|'method'|'builtin_function_or_method'",
        rf"{_FUNCTION} object (?:is not (?!callable)|does not support|cannot be interpreted)"
        rf"|of type {_FUNCTION} (?:is|has)"
        rf"|operand type(?:\(s\))? for [^:]{{1,20}}: (?:'[\w.]{{1,80}}' and )?{_FUNCTION}"
        rf"|instances of (?:'[\w.]{{1,80}}' and )?{_FUNCTION}|number, not {_FUNCTION}",
        "a function was used where its result is needed: write brackets after its name (f() instead of f)",
        "此处需要函数的结果, 却写了函数本身: 函数名后缺少括号 (应为f(), 而不是f)",
    ),
    advice(
        "TypeError",
        "'module' object is not callable",
        r"",
        "a module was called like a function: import the function itself, such as from tqdm import tqdm",
        "把模块当作函数调用了: 请导入函数本身, 如from tqdm import tqdm",
    ),
    advice(
        "TypeError",
        "object is not callable",
        r"'(\w{1,80})' object is not callable",
        "something of type {1} was called with (...): a variable took the name of a function (such as list, str, "
        "max), or an "
        "operator is missing "
        "before the bracket",
        "{1}被当作函数调用: 可能有变量与函数同名 (如list、str、max), 或括号前缺少运算符",
    ),
    advice(
        "TypeError",
        "does not support item",
        r"'([\w.]{1,200})' object does not support item \w{1,80}",
        "the elements of a value of type {1} cannot be changed: make a list or dictionary of it, or build a new one "
        "(tensors of "
        "TensorFlow: tf.tensor_scatter_nd_update)",
        "{1}类型的值不能修改其元素: 请转换为列表或字典, 或新建一个 (TensorFlow张量用tf.tensor_scatter_nd_update)",
    ),
    advice(
        "TypeError",
        "not subscriptable",
        r"'([\w.]{1,200})' (?:object )?is not subscriptable",
        "a value of type {1} holds no elements, so [...] cannot be written after it: print it and its type before this "
        "line",
        "{1}类型的值没有元素, 其后不能写[...]: 请在此行之前打印它及其类型",
    ),
    advice(
        "TypeError",
        "positional argument",
        r"([\w.]{1,200})\(\) missing (\d+) required (?:positional|keyword-only) arguments?: (.+)",
        "{1}() was called without {3}: add it to the call, or create an object of the class first",
        "调用{1}()时缺少参数{3}: 请在调用中补上, 或先创建类的对象",
    ),
    advice(
        "TypeError",
        "given|takes no arguments",
        r"([\w.]{1,200})\(\) takes (?:from )?(\d+|no)(?: to \d+)? (?:positional )?arguments?(?: but (\d+) (?:was|were) "
        r"given)?",
        "{1}() got more values than it takes ({2}): leave some out, or add self as the first parameter of a method",
        "{1}()收到的参数多于定义的个数 ({2}): 请减少参数, 或为方法添加第一个参数self",
    ),
    advice(
        "TypeError",
        "unexpected keyword argument",
        r"([\w.]{1,200})\(\) got an unexpected keyword argument '(\w{1,80})'",
        "{1}() knows no argument {2}[[; perhaps {suggestion} is meant]]: check its spelling and the library's version",
        "{1}()没有参数{2}[[; 也许是{suggestion}]]: 请检查拼写和库的版本",
    ),
    advice(
        "TypeError",
        "got multiple values for",
        r"([\w.]{1,200})\(\) got multiple values for (?:keyword )?argument '(\w{1,80})'",
        "{1}() got {2} twice, by its place and by its name: remove one (or a self is missing)",
        "{1}()的参数{2}被按位置和名称各传了一次: 请删除一个 (或缺少self)",
    ),
    advice(
        "TypeError",
        "Can't instantiate abstract class",
        r"abstract class (\w{1,80}) with(?:out an implementation for)? abstract methods? '?([\w', ]{1,200})",
        "the class {1} does not define {2}: write it, with the same spelling",
        "类{1}没有定义{2}: 请以同样的名称实现",
    ),
    advice(
        "TypeError",
        "is not JSON serializable",
        r"Object of type (\w{1,80}) is not JSON serializable",
        "JSON cannot hold a value of type {1}: convert it with float(), int() or .tolist() first",
        "JSON无法保存{1}: 请先用float()、int()或.tolist()转换",
    ),
    advice(
        "TypeError",
        "'NoneType' and|and 'NoneType'",
        r"(?:for (\S{1,300}): |'(\S{1,300})' not supported between instances of )",
        "one side of {1}{2} is None: a function returned nothing, or a value was never set",
        "{1}{2}的一侧是None: 可能是函数没有返回值, 或变量从未赋值",
    ),
    advice(
        "TypeError",
        "unsupported operand type",
        r"unsupported operand type\(s\) for (.{1,20}?): '([\w.]{1,200})' and '([\w.]{1,200})'",
        "{1} does not work between {2} and {3}: convert one of them first, such as int(x), float(x) or str(x)",
        "{2}与{3}之间不能使用{1}: 请先转换其中之一, 如int(x)、float(x)或str(x)",
    ),
    advice(
        "TypeError",
        "not supported between instances",
        r"'(\S{1,300})' not supported between instances of '([\w.]{1,200})' and '([\w.]{1,200})'",
        "{2} and {3} cannot be compared with {1}: convert one of them first (texts from files and input are str)",
        "{2}与{3}不能用{1}比较: 请先转换其中之一 (文件和输入读到的是str)",
    ),
    advice(
        "TypeError",
        "can only concatenate",
        r"can only concatenate (\w{1,80}) \(not \"(\w+)\"\)",
        "a value of type {2} cannot be joined to one of type {1}: convert it first, such as str(x), or use an f-string",
        "不能将{2}与{1}拼接: 请先转换, 如str(x), 或使用f字符串",
    ),
    advice(
        "TypeError",
        "indices must be integers",
        r"(\w{1,80}) indices must be integers(?: or slices)?, not '?(\w{1,80})",
        "a value of type {1} is asked for its {2} key, but is numbered: it is perhaps no dictionary; print it and "
        "its type",
        "{1}按编号取值, 不能用{2}作键: 它可能不是字典, 请打印它及其类型",
    ),
    advice(
        "TypeError",
        "unhashable type",
        r"unhashable type: '([\w.]{1,200})'",
        "a value of type {1} can be no key of a dictionary or member of a set: use a tuple or a str of it",
        "{1}不能作为字典的键或集合的元素: 请转换为tuple或str",
    ),
    advice(
        "TypeError",
        "is not iterable|has no len()|is not an iterator|not a sequence|0-d tensor",
        r"'?([\w.]{1,200})'? (?:object )?(?:is not iterable|has no len\(\)|is not an iterator|is not a sequence)"
        r"|(0-d tensor)",
        "a value of type {1}{2} cannot be looped over or counted: make it a list, or use range(n)",
        "{1}{2}类型的值不能遍历或计数: 请改为列表, 或用range(n)",
    ),
    advice(
        "TypeError",
        "cannot be interpreted as an integer",
        r"'(\w{1,80})' object cannot be interpreted as an integer",
        "a whole number is needed and a value of type {1} was given: use int(x), or // instead of /",
        "此处需要整数, 实际为{1}: 请用int(x), 或用//代替/",
    ),
    advice(
        "TypeError",
        "os.PathLike object, not",
        r"object, not '?(\w{1,80})",
        "a path is {1} where a text is needed: a parameter or setting was not given, or str(x) is missing",
        "路径是{1}, 此处需要文本: 可能某个参数或设置没有给出, 或缺少str(x)",
    ),
    advice(
        "TypeError",
        "a bytes-like object is required|must be str, not bytes",
        r"",
        "text and bytes were mixed: open text files with 'w' or 'r', binary ones with 'wb' or 'rb', and use "
        ".encode() or .decode()",
        "混用了文本和字节: 文本文件用'w'或'r'打开, 二进制文件用'wb'或'rb', 并用.encode()或.decode()转换",
    ),
    advice(
        "TypeError",
        "must be a string|must be real number|must be a real number",
        r"(\w{1,80})\(\) argument must be .*?, not '(\w{1,80})'|real number(?: is required)?, not (\w{1,80})",
        "a number cannot be made of a value of type {2}{3}: check that the value was given and found",
        "无法将{2}{3}转换为数字: 请检查该值是否给出或找到",
    ),
    advice(
        "TypeError IndexError",
        "format string|string formatting|Replacement index|%d format",
        r"",
        "the text's place holders and the values do not fit: compare their number and types, or use an f-string",
        "字符串的占位符与值不匹配: 请比较个数和类型, 或使用f字符串",
    ),
    advice(
        "TypeError",
        "expected str instance",
        r"item (\d+): expected str instance, (\w{1,80}) found",
        "join wants texts alone, and element {1} is of type {2}: use ','.join(map(str, x))",
        "join只接受文本, 第{1}个元素是{2}: 请用','.join(map(str, x))",
    ),
    advice(
        "TypeError",
        "non-default argument",
        r"argument '?(\w{1,80})'? follows default argument",
        "{1} has no default, but stands after fields that have one: give it one, or move it forward",
        "{1}没有默认值, 却位于有默认值的字段之后: 请加上默认值或前移",
    ),
)
"""Tried in this order; the first that holds speaks."""
