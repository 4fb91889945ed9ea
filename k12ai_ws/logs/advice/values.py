"""Advice on wrong values, and on what a program ran into, in Python itself."""

from .entry import Advice, advice

VALUES: tuple[Advice, ...] = (
    advice(
        "ValueError",
        "invalid literal for int()",
        r"base \d+: (.{1,60})",
        "{1} is no whole number: clean the text first, or use float()",
        "{1}不是整数: 请先清理文本, 或使用float()",
    ),
    advice(
        "ValueError",
        "values to unpack",
        r"(?:too many|not enough) values to unpack \(expected (\d+)(?:, got (\d+))?",
        "{1} names stand on the left of =, but the right side has another number of values[[: {2}]]",
        "等号左边有{1}个变量, 右边的值数量不同[[: {2}个]]",
    ),
    advice(
        "ValueError",
        "I/O operation on closed file",
        r"",
        "the file is closed already: move this line into the with block",
        "文件已经关闭: 请将此行移到with代码块内",
    ),
    advice(
        "UnsupportedOperation",
        "not writable|not readable|seekable|fileno",
        r"(not writable|not readable|\w*seekable|fileno)",
        "the file was opened in another mode ({1}): open it with 'w' to write, 'r' to read",
        "文件的打开方式不符 ({1}): 写入用'w', 读取用'r'",
    ),
    advice(
        "ValueError",
        "arg is an empty|is an empty sequence|of an empty sequence|zero-size array|cannot be empty unless|Sample "
        "larger than",
        r"",
        "there are no values (or too few) to choose from: check that the list, dataset or filter found something",
        "没有可用的值 (或数量不足): 请检查列表、数据集或过滤条件是否有结果",
    ),
    advice(
        "ValueError",
        "math domain error",
        r"",
        "log or sqrt got zero or a negative number: add a small number such as 1e-8, or check the input",
        "log或sqrt的输入为零或负数: 请加上1e-8之类的小数, 或检查输入",
    ),
    advice(
        "ValueError",
        "mutable default",
        r"for field (\w{1,80})",
        "the field {1} needs field(default_factory=...) instead of a list, dictionary or set",
        "字段{1}的默认值不能是列表、字典或集合: 请用field(default_factory=...)",
    ),
    advice(
        "ValueError",
        " is not a valid ",
        r"^(.{1,60}?) is not a valid (\w{1,80})$",
        "{2} has no member {1}: print list({2}), and check the spelling",
        "{2}没有成员{1}: 请打印list({2})并检查拼写",
    ),
    advice(
        "ValueError",
        "is not in list|not in list",
        r"",
        "the value searched for is not in the list: check spelling and type (1 is not '1'), or test with in first",
        "列表中没有要查找的值: 请检查拼写和类型 (1与'1'不同), 或先用in判断",
    ),
    advice(
        "ValueError",
        "batch_size should be|learning rate|Invalid learning rate|Invalid momentum|Invalid beta|dropout probability",
        r"(batch_size|learning rate|momentum|beta parameter\S*|dropout probability)[^\d=-]{0,60}(?:got "
        r")?(?:\w{1,80}=)?(-?[\d.e-]+)?",
        "{1} has a value that cannot be[[ ({2})]]: give a positive one",
        "{1}的值无效[[ ({2})]]: 请给出正数",
    ),
    advice(
        "ZeroDivisionError DivisionByZero",
        "",
        r"",
        "something was divided by zero: often a dataset is empty, so that there are 0 samples or batches",
        "出现了除以零: 常见原因是数据集为空, 样本数或批次数为0",
    ),
    advice(
        "RecursionError",
        "",
        r"",
        "a function calls itself without end: check the case in which it should stop",
        "函数无限递归: 请检查终止条件",
    ),
    advice(
        "RuntimeError",
        "changed size during iteration",
        r"",
        "a dictionary or set was changed while it was walked through: loop over list(x) instead",
        "遍历时修改了字典或集合: 请改为遍历list(x)",
    ),
    advice(
        "RuntimeError",
        "event loop is already running|cannot be called from a running event loop",
        r"",
        "asyncio.run was called inside a running loop: use await there",
        "在运行中的事件循环内调用了asyncio.run: 请改用await",
    ),
    advice(
        "TclError RuntimeError ImportError",
        "no display name|Cannot load backend|could not connect to display|Invalid DISPLAY",
        r"",
        "a job has no screen to show windows on: use matplotlib.use('Agg') and plt.savefig, no plt.show or cv2.imshow",
        "任务没有屏幕, 无法显示窗口: 请用matplotlib.use('Agg')和plt.savefig, 不要用plt.show或cv2.imshow",
    ),
    advice(
        "StopIteration",
        "",
        r"",
        "next() found no further value: the data is used up; make the iterator anew, or use next(it, None)",
        "next()没有更多的值: 数据已用完, 请重新创建迭代器, 或用next(it, None)",
    ),
    advice(
        "NotImplementedError",
        "",
        r"^$",
        "a method that must be written is missing: define it in your class, with the same spelling as in its base "
        "class",
        "缺少必须实现的方法: 请在您的类中以与基类相同的名称定义它",
    ),
    advice(
        "AssertionError",
        "",
        r"",
        "a condition that the code takes for granted does not hold: see the line of the assert",
        "代码中断言的条件不成立: 请查看assert所在行",
    ),
)
"""Tried in this order; the first that holds speaks."""
