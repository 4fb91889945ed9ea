"""Advice on files and folders."""

from .entry import Advice, advice

FILES: tuple[Advice, ...] = (
    advice(
        "FileNotFoundError",
        "",
        r"No such file or directory: '([^'/ ]{1,300})'",
        "the program {1} is not installed here: check its name, or add it to the job's image",
        "此环境没有安装程序{1}: 请检查名称, 或在任务的镜像中安装",
        file="/subprocess.py",
    ),
    advice(
        "FileNotFoundError",
        "",
        r"(?:No such file or directory: |Unable to find |Couldn't find any data file at |Directory |find file "
        r")b?'?([^'\n]{1,300}?)"
        r"'?(?:\.| not found| -> .*)?$",
        "there is no {1} where the job runs: check the spelling, and that it is inside the mounted folders "
        "(K12AI_DATASETS, "
        "K12AI_PRETRAINED, K12AI_OUTPUT)",
        "任务运行环境中不存在{1}: 请检查拼写, 并确认它位于已挂载的目录内 "
        "(K12AI_DATASETS、K12AI_PRETRAINED、K12AI_OUTPUT)",
    ),
    advice(
        "FileNotFoundError DatasetNotFoundError EmptyDatasetError DataFilesNotFoundError",
        "",
        r"",
        "a file is not there where the job runs: check its path, and that it is inside the mounted folders",
        "任务运行环境中找不到文件: 请检查路径, 并确认它位于已挂载的目录内",
    ),
    advice(
        "OSError PermissionError",
        "Read-only file system",
        r"Read-only file system(?:: '([^']{1,300})')?",
        "nothing can be written[[ to {1}]]: write to the output folder (K12AI_OUTPUT) or to /tmp",
        "[[{1}所在]]位置为只读: 请写入输出目录 (K12AI_OUTPUT) 或/tmp",
    ),
    advice(
        "PermissionError",
        "",
        r"'([^']{1,300})'",
        "the job has no right to use {1} so: datasets are read-only, and the output folder (K12AI_OUTPUT) is the "
        "place to write",
        "任务没有使用{1}的权限: 数据集目录为只读, 请写入输出目录 (K12AI_OUTPUT)",
    ),
    advice(
        "PermissionError",
        "",
        r"",
        "the job has no right to do this: it does not run as root, and may write to its output folder and /tmp alone",
        "任务没有此操作的权限: 任务不以root运行, 只能写入输出目录和/tmp",
    ),
    advice(
        "CatBoostError",
        "create train working dir",
        r"dir: (\S{1,300})",
        "CatBoost cannot write to {1}: set train_dir to the output folder, or allow_writing_files=False",
        "CatBoost无法写入{1}: 请将train_dir设为输出目录, 或设allow_writing_files=False",
    ),
    advice(
        "IsADirectoryError",
        "",
        r"'([^']{1,300})'",
        "{1} is a folder where a file is expected: add the file's name to the path",
        "{1}是目录, 此处需要文件: 请在路径后加上文件名",
    ),
    advice(
        "NotADirectoryError",
        "",
        r"'([^']{1,300})'",
        "a part of the path {1} is a file, not a folder: check the path (an archive must be unpacked first)",
        "路径{1}中有一部分是文件而不是目录: 请检查路径 (压缩包须先解压)",
    ),
    advice(
        "FileExistsError",
        "",
        r"'([^']{1,300})'",
        "{1} exists already: use exist_ok=True, or another name",
        "{1}已存在: 请使用exist_ok=True或更换名称",
    ),
    advice(
        "OSError",
        "File name too long|Directory not empty",
        r"(File name too long|Directory not empty)",
        "the path cannot be used so ({1}): shorten the name, or empty the folder first (shutil.rmtree)",
        "无法这样使用该路径 ({1}): 请缩短名称, 或先清空目录 (shutil.rmtree)",
    ),
    advice(
        "OSError",
        "Input/output error|Stale file handle|Transport endpoint",
        r"",
        "the disk or the network folder under this file failed: try again, and tell the operator if it repeats",
        "该文件所在的磁盘或网络目录发生故障: 请重试, 若反复出现请联系管理员",
    ),
)
"""Tried in this order; the first that holds speaks."""
