"""Advice on files, formats and downloads."""

from .entry import Advice, advice

FILES: tuple[Advice, ...] = (
    advice(
        "FileNotFoundError",
        r"No such file or directory: '([^']+)'",
        "there is no {1} where the job runs: check the spelling, and that it is inside the mounted folders",
        "任务运行环境中不存在{1}: 请检查拼写, 并确认它位于已挂载的目录内",
    ),
    advice(
        "PermissionError",
        r"'([^']+)'",
        "the job has no right to use {1} so: datasets are read-only, and the output folder is the place to write",
        "任务没有使用{1}的权限: 数据集目录为只读, 请写入输出目录",
    ),
    advice(
        "OSError",
        r"Read-only file system: '([^']+)'",
        "nothing can be written to {1}: write to the output folder (K12AI_OUTPUT) or to /tmp",
        "{1}所在位置为只读: 请写入输出目录 (K12AI_OUTPUT) 或/tmp",
    ),
    advice(
        "IsADirectoryError",
        r"'([^']+)'",
        "{1} is a folder where a file is expected",
        "{1}是目录, 此处需要文件",
    ),
    advice(
        "FileExistsError",
        r"'([^']+)'",
        "{1} exists already: use exist_ok=True, or another name",
        "{1}已存在: 请使用exist_ok=True或更换名称",
    ),
    advice(
        "UnicodeDecodeError",
        r"'([\w-]+)' codec can't decode",
        "the file is not {1}: open it with its true encoding, such as encoding='gbk' or 'utf-8-sig'",
        "文件编码不是{1}: 请用正确的编码打开, 如encoding='gbk'或'utf-8-sig'",
    ),
    advice(
        "UnicodeEncodeError",
        r"'([\w-]+)' codec can't encode",
        "the output cannot hold this character in {1}: open files with encoding='utf-8'",
        "输出编码{1}无法表示该字符: 请用encoding='utf-8'打开文件",
    ),
    advice(
        "JSONDecodeError",
        r"(.+?): line (\d+)",
        "the text is not JSON: {1}, in its line {2}",
        "内容不是合法的JSON: 第{2}行, {1}",
    ),
    advice(
        "UnidentifiedImageError",
        r"",
        "an image file is damaged or no image at all: remove it, or skip files that cannot be opened",
        "图像文件损坏或不是图像: 请删除该文件, 或跳过无法打开的文件",
    ),
    advice(
        "EmptyDataError ParserError",
        r"",
        "the CSV file is empty or its rows differ in length: check the separator and the header",
        "CSV文件为空或各行列数不同: 请检查分隔符和表头",
    ),
    advice(
        "UnpicklingError EOFError",
        r"",
        "the file is cut short or no checkpoint: it was perhaps still being written; save or download it again",
        "文件不完整或不是检查点: 可能写入中断, 请重新保存或下载",
    ),
    advice(
        "",
        r"PytorchStreamReader failed|failed finding central directory",
        "the checkpoint is cut short: it was perhaps still being written; save or download it again",
        "检查点文件不完整: 可能写入中断, 请重新保存或下载",
    ),
    advice(
        "ConnectionError ConnectTimeout ReadTimeout URLError MaxRetryError gaierror LocalEntryNotFoundError",
        r"",
        "a download failed: the job may have no network; put models and data into the mounted folders",
        "下载失败: 任务可能没有网络, 请将模型和数据放入已挂载的目录",
    ),
)
"""Tried in this order; the first that holds speaks."""
