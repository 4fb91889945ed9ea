"""Advice on what no Python program said: the shell, the system, launchers, and other languages."""

from k12ai_ws.wire.codes import Code

from .entry import Advice, advice
from .packages import PACKAGES, SAME

_RENAMED = "|".join(name.replace(".", r"\.") for name in sorted(PACKAGES, key=len, reverse=True))
_SAME = "|".join(sorted(SAME))


def _foreign(types: str, contains: str, pattern: str, en: str, zh: str, *, code: int | None = None) -> Advice:
    """`types` are separated by `|`: some have spaces in their names."""
    return advice(tuple(types.split("|")), contains, pattern, en, zh, code=code, speaker="foreign")


FOREIGN: tuple[Advice, ...] = (
    advice(
        ("Segmentation fault", "Aborted", "Illegal instruction"),
        "Fatal Python error",
        r"",
        "a library written in C or C++ failed inside, at the last line of Python shown: mostly its version does not "
        "fit the others (torch, CUDA, numpy), or a file that it reads is broken",
        "C/C++库内部出错, 位置是所示的最后一行Python代码: 多为与其他库 (torch、CUDA、numpy) 版本不匹配, 或文件损坏",
        speaker="python",
    ),
    _foreign(
        "Killed",
        "",
        r"",
        "the system killed the program, mostly for want of memory: use a smaller batch, fewer workers, or ask for "
        "more memory",
        "系统终止了程序, 多为内存不足: 请减小batch、减少num_workers, 或申请更多内存",
    ),
    _foreign(
        "Segmentation fault",
        "",
        r"",
        "a library written in C or C++ failed inside: mostly versions that do not fit each other; set "
        "PYTHONFAULTHANDLER=1 to "
        "see the line",
        "C/C++库内部出错, 多为版本不匹配: 请设置PYTHONFAULTHANDLER=1定位出错行",
    ),
    _foreign(
        "Bus error",
        "",
        r"",
        "mostly shared memory (/dev/shm) is too small: use num_workers=0, or give the job more (resources.shm)",
        "多为共享内存 (/dev/shm) 太小: 请设num_workers=0, 或为任务增大共享内存 (resources.shm)",
    ),
    _foreign(
        "Illegal instruction",
        "",
        r"",
        "the program was built for a newer processor than this one: install a build for older processors",
        "程序是为更新的处理器编译的: 请安装支持旧处理器的版本",
    ),
    _foreign(
        "Aborted|Floating point exception",
        "",
        r"",
        "a library stopped the program because something inside was wrong: the lines above say what; check that "
        "library versions "
        "fit each other",
        "某个库因内部错误终止了程序: 原因见上方输出; 请检查各库版本是否匹配",
    ),
    _foreign(
        "std::bad_alloc|OutOfMemory|java.lang.OutOfMemoryError",
        "",
        r"",
        "the machine had no memory left: use a smaller batch, load the data in pieces, or ask for more memory",
        "内存不足: 请减小batch、分块加载数据, 或申请更多内存",
    ),
    _foreign(
        "CUDA assertion",
        "",
        r"t >= 0 && t < n_classes|cur_target",
        "a label is outside the model's outputs: labels count from 0 to the number of classes - 1",
        "标签超出模型的输出范围: 标签应从0到类别数减1",
    ),
    _foreign(
        "CUDA assertion",
        "",
        r"",
        "an index on the GPU is out of range: a label, a token or a position is larger than the table it looks into; "
        "run once "
        "on the CPU to see the line",
        "GPU上的索引越界: 标签、token或位置超出了所查的表; 请在CPU上运行一次以定位出错行",
    ),
    _foreign(
        "CommandNotFound",
        "",
        r"(?:: |^|\")([\w./+-]{1,80})(?:\"|')?: (?:command not found|not found|executable file not found)",
        "the program {1} is not installed in this image: check its name, or add it",
        "镜像中没有安装程序{1}: 请检查名称, 或添加它",
    ),
    _foreign(
        "NoSuchFile",
        "",
        r"can't open file '([^']{1,300})'|: ([^\s:]{1,200}): No such file",
        "there is no {1}{2} where the job runs: check the path, and that it is inside the image or a mounted folder",
        "任务运行环境中不存在{1}{2}: 请检查路径, 并确认它位于镜像或已挂载的目录内",
    ),
    _foreign(
        "PermissionDenied",
        "",
        r"",
        "the file may not be run: chmod +x it in the image, or start it with its interpreter (bash x.sh, python x.py)",
        "该文件没有执行权限: 请在镜像中chmod +x, 或用解释器启动 (bash x.sh、python x.py)",
    ),
    _foreign(
        "NotExecutable",
        "",
        r"",
        "the file is for another kind of processor, or its first line names no interpreter (a file from Windows has "
        "wrong line "
        "ends): check both",
        "该文件属于其他处理器架构, 或首行解释器有误 (Windows换行符也会导致): 请检查",
    ),
    _foreign(
        "ShellSyntaxError",
        "",
        r"line (\d+)",
        "the shell cannot read line {1} of the script: check quotes, then and done, and that it was not saved with "
        "Windows line "
        "ends",
        "shell无法解析脚本第{1}行: 请检查引号、then和done, 以及是否为Windows换行符",
    ),
    _foreign(
        "UnboundVariable",
        "",
        r"([\w]{1,200}): (?:unbound variable|parameter not set)",
        "the variable {1} is not set: set it before, or write ${{1}:-default}",
        "变量{1}没有设置: 请先设置, 或写成${{1}:-默认值}",
    ),
    _foreign(
        "LibraryNotFound",
        "",
        r"(lib[\w.+-]{1,200}\.so[\w.]*)",
        "the system library {1} is missing in the image: install the package that has it",
        "镜像中缺少系统库{1}: 请安装包含它的软件包",
    ),
    _foreign(
        "GlibcTooOld",
        "",
        r"(GLIBC(?:XX)?_[\d.]+)",
        "the image's system is too old for this program ({1}): use an image with a newer system, or an older build",
        "镜像的系统过旧 (缺少{1}): 请使用更新的系统镜像, 或较旧的程序版本",
    ),
    _foreign(
        "ModuleNotFound",
        "",
        rf"No module named '?((?:{_RENAMED})(?!\w))",
        "the module {1} is not installed here: add the package {1:package} to the job's image",
        "此环境没有安装模块{1}: 请在任务的镜像中安装{1:package}",
    ),
    _foreign(
        "ModuleNotFound",
        "",
        rf"No module named '?((?:{_SAME})(?![\w.]))",
        "the module {1} is not installed here: add the package {1} to the job's image",
        "此环境没有安装模块{1}: 请在任务的镜像中安装包{1}",
    ),
    _foreign(
        "ModuleNotFound",
        "",
        r"No module named '?([\w.]{1,200})",
        "there is no module {1} here: a file or folder of your own must lie in the folder where the program is started "
        "or in PYTHONPATH; for a library, see in its documentation which package has it",
        "此环境没有模块{1}: 自己的文件或目录须位于启动程序的目录或PYTHONPATH中; 若是第三方库, 请在其文档中查找包名",
    ),
    _foreign(
        "UsageError",
        "",
        r"error: (.{1,150})",
        "the program was called with wrong options: {1}",
        "程序的命令行选项有误: {1}",
    ),
    _foreign(
        "MakeError",
        "",
        r"",
        "a command of the Makefile failed: its own message stands above",
        "Makefile中的命令失败: 请查看上方它自己的输出",
    ),
    _foreign(
        "ProcessFailed|MPI_ABORT",
        "",
        r"",
        "a process of this training failed; its own error, printed above, is the cause",
        "训练中的某个进程失败: 真正的原因是上方它自己的报错",
    ),
    _foreign(
        "TimeLimit",
        "",
        r"",
        "the time that the scheduler allows is over: ask for more, or save checkpoints and go on from them",
        "已达到调度器允许的时间: 请申请更长时间, 或保存检查点后继续",
    ),
    _foreign(
        "JobCancelled|Preempted",
        "",
        r"",
        "the scheduler ended the job; save checkpoints, so that it can go on from them",
        "调度器终止了任务; 请保存检查点以便继续",
    ),
    _foreign(
        "java.lang.NullPointerException|NullPointerException",
        "",
        r"",
        "something is null that should be an object: the first line below the message names the place",
        "某个对象为null: 报错下方的第一行指出了位置",
    ),
    _foreign(
        "Error",
        "Cannot find module",
        r"Cannot find module '([^']{1,300})'",
        "node does not find the module {1}: install it with npm in the image, or check the path",
        "node找不到模块{1}: 请在镜像中用npm安装, 或检查路径",
        code=Code.MODULE_NOT_FOUND,
    ),
    _foreign(
        "Error",
        "there is no package called",
        r"called .(\w[\w.]*)",
        "the R package {1} is not installed in this image: add it with install.packages when building the image",
        "镜像中没有安装R包{1}: 请在构建镜像时用install.packages安装",
        code=Code.MODULE_NOT_FOUND,
    ),
    _foreign(
        "panic",
        "index out of range|index out of bounds",
        r"",
        "an index is beyond the end: the last valid one is the length minus 1; an empty list has none",
        "索引超出范围: 最后一个有效索引是长度减1, 空列表没有有效索引",
        code=Code.INDEX_ERROR,
    ),
    _foreign(
        "java.lang.ClassNotFoundException|java.lang.NoClassDefFoundError",
        "",
        r"([\w.$/]{1,200})",
        "the class {1} is missing: add the jar that has it to the image and to the class path (Spark: --jars)",
        "缺少类{1}: 请将包含它的jar加入镜像和类路径 (Spark用--jars)",
    ),
)
"""Tried in this order; the first that holds speaks."""
