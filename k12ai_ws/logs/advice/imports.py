"""Advice on modules that cannot be imported."""

from k12ai_ws.wire.codes import Code

from .entry import Advice, advice, optional
from .packages import PACKAGES, SAME

_RENAMED = "|".join(name.replace(".", r"\.") for name in sorted(PACKAGES, key=len, reverse=True))
_SAME = "|".join(sorted(SAME))

IMPORTS: tuple[Advice, ...] = (
    advice(
        "ModuleNotFoundError",
        "google.colab|IPython|ipykernel",
        r"No module named '?(google\.colab|IPython|ipykernel)",
        "{1} belongs to notebooks (Jupyter, Colab), and a job is a plain program: remove that import and what uses it",
        "{1}属于笔记本环境 (Jupyter、Colab), 任务是普通程序: 请删除该import及相关代码",
    ),
    advice(
        "ModuleNotFoundError",
        "is not a package",
        r"No module named '?([\w.]{1,200})'?; '?([\w.]{1,200})'? is not a package",
        "{2} is a single file here, perhaps one of yours with the name of a library: rename it",
        "此处的{2}是单个文件, 可能是您的文件与库同名: 请将其改名",
    ),
    advice(
        "ModuleNotFoundError",
        ".",
        r"No module named '?(?!google|ruamel|mpl_toolkits|sphinxcontrib|azure|zope"
        r"|backports)(\w{1,80})\.([\w.]{1,200})",
        "{1} is there, but has no {2}: its version is another one, the name is misspelt, or a file or folder of "
        "yours is "
        "called {1}",
        "有{1}, 但其中没有{2}: 版本不同, 名称拼写有误, 或您的某个文件或目录也叫{1}",
    ),
    advice(
        "ModuleNotFoundError",
        "'distutils'",
        r"No module named '(distutils)'",
        "{1} is no longer a part of Python (since 3.12): add the package setuptools to the job's image, which brings "
        "it, or use an image with an older Python",
        "Python 3.12起不再包含{1}: 请在任务的镜像中安装setuptools (其中带有它), 或使用旧版Python镜像",
    ),
    advice(
        "ModuleNotFoundError",
        "'imp'|'asyncore'|'asynchat'|'smtpd'",
        r"No module named '(imp|asyncore|asynchat|smtpd)'",
        "{1} is no longer a part of Python (since 3.12): use a newer version of the library that wants it, or an image "
        "with an older Python",
        "Python 3.12起不再包含{1}: 请升级用到它的库, 或使用旧版Python镜像",
    ),
    advice(
        "ModuleNotFoundError",
        "",
        rf"No module named '?((?:{_RENAMED})(?![\w]))",
        "the module {1} is not installed here: its package is {1:package}; add that to the job's image",
        "此环境没有模块{1}: 对应的包是{1:package}, 请在任务的镜像中安装",
    ),
    advice(
        "ModuleNotFoundError",
        "",
        rf"No module named '?((?:{_SAME})(?![\w.]))",
        "the module {1} is not installed here: add the package {1:package} to the job's image",
        "此环境没有模块{1}: 请在任务的镜像中安装包{1:package}",
    ),
    advice(
        "ModuleNotFoundError",
        "",
        r"No module named '?([\w.]{1,200})",
        "there is no module {1} here[[, perhaps {suggestion} is meant]]: a file or folder of your own must lie beside "
        "the script that is started, or its folder in PYTHONPATH; for a library, see in its documentation which "
        "package has it, and add that to the job's image",
        "此环境没有模块{1}[[, 也许是{suggestion}]]: 自己的文件或目录须与启动的脚本在一起, 或将其所在目录加入PYTHONPATH;"
        " 若是第三方库, 请在其文档中查找包名并装入镜像",
    ),
    advice(
        "ImportError",
        "Missing optional dependency",
        r"Missing optional dependency '([\w.-]{1,80})'",
        "pandas needs the package {1} for this: add it to the job's image",
        "pandas执行此操作需要包{1}: 请在任务的镜像中安装",
    ),
    advice(
        "ImportError",
        "cannot open shared object file|DLL load failed|undefined symbol|GLIBC|symbol not found",
        r"libGL\.so",
        "OpenCV needs the system library libGL: install opencv-python-headless instead of opencv-python",
        "OpenCV需要系统库libGL: 请用opencv-python-headless代替opencv-python",
    ),
    advice(
        "ImportError OSError",
        "cannot open shared object file",
        r"(lib[\w.+-]{1,200}\.so[\w.]*)",
        "the system library {1} is missing in the image: install the package that has it, or an image with the CUDA "
        "version "
        "that the library was built for",
        "镜像中缺少系统库{1}: 请安装包含它的软件包, 或使用与该库编译时CUDA版本一致的镜像",
        code=Code.MODULE_NOT_FOUND,
    ),
    advice(
        "ImportError OSError",
        "undefined symbol|symbol not found|GLIBC|DLL load failed|cannot allocate memory in static TLS block",
        optional(r"([\w{1,80}.-]{1,200}\.so[\w.]*)"),
        "two libraries do not fit each other[[ ({1})]]: they were built for other versions; install matching ones, "
        "such as torch "
        "and torchvision of one release",
        "两个库互不匹配[[ ({1})]]: 它们针对不同版本编译; 请安装配套版本, 如同一发行版的torch和torchvision",
        code=Code.MODULE_NOT_FOUND,
    ),
    advice(
        "ImportError",
        "partially initialized module|circular import",
        r"(?:cannot import name '(\w{1,80})' from )?partially initialized module '([\w.]{1,200})'",
        "{2} is imported while it is still loading: two files import each other, or one of yours has the name of a "
        "library",
        "{2}在加载过程中又被导入: 两个文件互相导入, 或您的文件与库同名",
    ),
    advice(
        "AttributeError",
        "partially initialized module",
        r"partially initialized module '([\w.]{1,200})'",
        "a file of yours has the name of the library {1}, or two files import each other: rename it",
        "您的文件与库{1}同名, 或两个文件互相导入: 请改名",
    ),
    advice(
        "ImportError",
        "attempted relative import",
        r"",
        "an import with dots works inside a package alone: start the program with python -m package.module, or leave "
        "out the dots",
        "带点的相对导入只能在包内使用: 请用 python -m 包.模块 启动, 或去掉点",
    ),
    advice(
        "ImportError",
        "cannot import name",
        r"cannot import name '(\w{1,80})' from '([\w.]{1,200})'",
        "{2} has no {1}[[, perhaps {suggestion} is meant]]: the name is misspelt, the package is of another version, "
        "or two files "
        "import each other",
        "{2}中没有{1}[[, 也许是{suggestion}]]: 名称拼写有误, 包的版本不同, 或两个文件互相导入",
    ),
)
"""Tried in this order; the first that holds speaks."""
