"""Advice on encodings, file formats and configuration."""

from k12ai_ws.wire.codes import Code

from .entry import Advice, advice, optional

FORMATS: tuple[Advice, ...] = (
    advice(
        "UnicodeDecodeError",
        "codec can't decode byte 0x80|codec can't decode byte 0x89|codec can't decode byte 0x1f|codec can't decode "
        "byte 0xff i"
        "n position 0",
        r"'([\w-]{1,200})' codec can't decode byte (\w{1,80})",
        "the file is no text in {1} (byte {2}): images, archives and models must be opened in binary mode ('rb'); a "
        "text from "
        "Windows may be 'utf-16' or 'gbk'",
        "该文件不是{1}文本 (字节{2}): 图像、压缩包和模型须以二进制方式打开 ('rb'); Windows的文本可能是'utf-16'或'gbk'",
    ),
    advice(
        "UnicodeDecodeError",
        "codec can't decode",
        r"'([\w-]{1,200})' codec can't decode",
        "the file is not {1}: open it with its true encoding, such as encoding='gbk' or 'utf-8-sig'",
        "文件编码不是{1}: 请用正确的编码打开, 如encoding='gbk'或'utf-8-sig'",
    ),
    advice(
        "UnicodeEncodeError",
        "surrogates not allowed",
        r"",
        "the text holds half a character, from a wrong decoding: read the file with its true encoding, or "
        "errors='replace'",
        "文本中含有残缺的字符, 来自错误的解码: 请用正确的编码读取, 或设errors='replace'",
    ),
    advice(
        "UnicodeEncodeError",
        "codec can't encode",
        r"'([\w-]{1,200})' codec can't encode",
        "the output cannot hold this character in {1}: open files with encoding='utf-8', and set PYTHONUTF8=1",
        "输出编码{1}无法表示该字符: 请用encoding='utf-8'打开文件, 并设置PYTHONUTF8=1",
    ),
    advice(
        "LookupError",
        "unknown encoding",
        r"unknown encoding: (\S{1,300})",
        "there is no encoding named {1}: write 'utf-8', 'gbk' or 'latin-1'",
        "没有名为{1}的编码: 请用'utf-8'、'gbk'或'latin-1'",
        code=Code.VALUE_ERROR,
    ),
    advice(
        "LookupError",
        "Resource",
        r"Resource (?:\x1b\[\d+m)?'?([\w/-]{1,200})",
        "NLTK lacks its data {1}: put nltk_data into the image or a mounted folder, and name that in NLTK_DATA",
        "NLTK缺少数据{1}: 请将nltk_data放入镜像或已挂载的目录, 并用NLTK_DATA指定",
        code=Code.FILE_NOT_FOUND,
    ),
    advice(
        "OSError",
        "[E050]",
        r"Can't find model '([^']{1,300})'",
        "spaCy has no model {1} here: add it to the image, or load it by its path",
        "此处没有spaCy模型{1}: 请放入镜像, 或按路径加载",
        code=Code.FILE_NOT_FOUND,
    ),
    advice(
        "JSONDecodeError",
        "Expecting value: line 1 column 1 (char 0)",
        r"",
        "the file or answer is empty or no JSON at all: check its path and whether it was written to the end",
        "文件或返回内容为空, 或根本不是JSON: 请检查路径以及是否写入完整",
    ),
    advice(
        "JSONDecodeError",
        "Extra data",
        r"line (\d+) column (\d+)",
        "more follows after the first JSON value (line {1}): read a file of JSON lines line by line",
        "第一个JSON值之后还有内容 (第{1}行): JSON Lines文件请逐行读取",
    ),
    advice(
        "JSONDecodeError",
        "",
        r"(.{1,200}?): line (\d+)",
        "the text is not JSON: {1}, in its line {2}; names and texts need double quotes, and no comma stands before "
        "a closing "
        "bracket",
        "内容不是合法的JSON: 第{2}行, {1}; 名称和文本须用双引号, 右括号前不能有逗号",
    ),
    advice(
        "JSONDecodeError TOMLDecodeError",
        "",
        r"",
        "the file is not in the form that its reader expects: check it at the place that the message names",
        "文件格式不符合要求: 请检查报错指出的位置",
    ),
    advice(
        "ScannerError",
        "cannot start any token",
        r"line (\d+)",
        "YAML does not allow tabs (line {1}): indent with spaces",
        "YAML不允许使用制表符 (第{1}行): 请用空格缩进",
    ),
    advice(
        "ConstructorError",
        "could not determine a constructor",
        r"tag '([^']{1,300})'",
        "the YAML file holds a Python object ({1}) that safe loading refuses: write plain values, or use the library "
        "that made it",
        "YAML文件含有安全加载不允许的Python对象 ({1}): 请改为普通值, 或用生成它的库读取",
    ),
    advice(
        "ScannerError ParserError ComposerError YAMLError ConstructorError",
        "line",
        r"line (\d+), column (\d+)",
        "the YAML file is wrong at line {1}, column {2}: check the indentation there, and put a space after each colon",
        "YAML文件第{1}行第{2}列有误: 请检查缩进, 冒号后须有空格",
    ),
    advice(
        "ScannerError ParserError ComposerError YAMLError ReaderError",
        "",
        r"mapping values are not allowed|while (?:scanning|parsing) |expected <block end>|did not find expected"
        r"|could not find expected|cannot start any token|special characters are not allowed",
        "the YAML file is wrong: check the indentation, put a space after each colon, and use no tabs",
        "YAML文件有误: 请检查缩进, 冒号后须有空格, 且不要使用制表符",
    ),
    advice(
        "TypeError",
        "missing 1 required positional argument: 'Loader'",
        r"",
        "newer PyYAML wants a loader: use yaml.safe_load(file)",
        "新版PyYAML需要指定Loader: 请用yaml.safe_load(file)",
    ),
    advice(
        "NoSectionError NoOptionError MissingSectionHeaderError ParsingError",
        "",
        r"",
        "the configuration file lacks a section or option, or was not found: check its path and its [section] lines",
        "配置文件缺少小节或选项, 或未找到文件: 请检查路径和[小节]行",
    ),
    advice(
        "ArgumentError",
        "conflicting option string",
        r"option strings?: (\S{1,300})",
        "the option {1} is defined twice: remove one of the two add_argument calls",
        "选项{1}被定义了两次: 请删除其中一个add_argument",
    ),
    advice(
        "ArgumentError ArgumentTypeError",
        "",
        r"argument ([^:]{1,300}): (.{1,150})",
        "the option {1} was given a wrong value: {2}",
        "选项{1}的值有误: {2}",
    ),
    advice(
        "UnidentifiedImageError",
        "",
        optional(r"file '?([^'>\n]{1,300})"),
        "an image file[[ ({1})]] is damaged or no image: remove it, or skip files that cannot be opened",
        "图像文件[[ ({1})]]已损坏或不是图像: 请删除该文件, 或跳过无法打开的文件",
    ),
    advice(
        "OSError SyntaxError",
        "image file is truncated|broken data stream|Truncated File Read|broken PNG file",
        r"",
        "an image file is cut short: copy it again or remove it, or set PIL.ImageFile.LOAD_TRUNCATED_IMAGES = True",
        "图像文件不完整: 请重新复制或删除, 或设PIL.ImageFile.LOAD_TRUNCATED_IMAGES = True",
    ),
    advice(
        "OSError",
        "cannot write mode",
        r"mode (\w{1,80}) as (\w{1,80})",
        "{2} cannot hold an image of mode {1}: convert it with img.convert('RGB') first, or save it as PNG",
        "{2}不能保存{1}模式的图像: 请先用img.convert('RGB')转换, 或保存为PNG",
    ),
    advice(
        "TypeError",
        "Cannot handle this data type",
        r"data type: (.+)",
        "PIL cannot make an image of such an array ({1}): it wants height x width x 3 of uint8, (x * "
        "255).astype('uint8')",
        "PIL无法用该数组创建图像 ({1}): 需要 高x宽x3 的uint8, 如(x * 255).astype('uint8')",
    ),
    advice(
        "DecompressionBombError",
        "",
        r"\((\d+) pixels\)",
        "an image has {1} pixels, which PIL takes for an attack: if it is yours, raise PIL.Image.MAX_IMAGE_PIXELS",
        "图像有{1}个像素, PIL视为攻击: 若图像可信, 请调大PIL.Image.MAX_IMAGE_PIXELS",
    ),
    advice(
        "error",
        "OpenCV",
        r"\(-215:Assertion failed\) !?_?(?:src\.empty|ssize\.empty|\w{1,80}\.empty)",
        "OpenCV got no image: cv2.imread returns None where a file is missing or unreadable; check the path before",
        "OpenCV没有得到图像: 文件缺失或无法读取时cv2.imread返回None, 请先检查路径",
        code=Code.VALUE_ERROR,
    ),
    advice(
        "ModuleNotFoundError ImportError AttributeError",
        "ANTIALIAS",
        r"",
        "newer PIL has no ANTIALIAS: write Image.LANCZOS",
        "新版PIL已移除ANTIALIAS: 请改为Image.LANCZOS",
    ),
    advice(
        "ConfigAttributeError ConfigKeyError MissingMandatoryValue",
        "",
        r"(?:Key '([^']{1,300})'|value: (\S{1,300})|full_key: (\S{1,300}))",
        "the configuration has no value for {1}{2}{3}: add it to the file, or give it on the command line",
        "配置中缺少{1}{2}{3}: 请在文件中添加, 或在命令行给出",
    ),
    advice(
        "ConfigCompositionException MissingConfigException",
        "",
        r"",
        "the configuration could not be put together: check the names of its files and of the overrides on the "
        "command line",
        "配置组合失败: 请检查配置文件名和命令行覆盖项",
    ),
    advice(
        "ValidationError",
        "validation error",
        r"validation errors? for (\w{1,80})\s+(\S{1,300})\s+([^\[\n]{1,100})",
        "{1} does not accept its field {2}: {3}",
        "{1}的字段{2}无效: {3}",
    ),
)
"""Tried in this order; the first that holds speaks."""
