"""The demo's story, in English and Chinese."""

from collections.abc import Mapping

from k12ai_ws.cli.words import Language

TEXTS: Mapping[str, Mapping[Language, str]] = {
    "server": {"en": "1. A server", "zh": "1. 启动服务"},
    "server_ready": {
        "en": "k12ai is ready at {address} (a free port; jobs are local processes; data in a temporary folder)",
        "zh": "k12ai 已就绪: {address} (空闲端口; 任务为本地进程; 数据在临时目录中)",
    },
    "training": {
        "en": "2. A training: one JSON request over REST, its metrics live over the WebSocket",
        "zh": "2. 训练: 通过REST发送一个JSON请求, 通过WebSocket实时接收指标",
    },
    "accuracy": {
        "en": "Test accuracy: {accuracy} (on handwritten digits that the model had never seen)",
        "zh": "测试准确率: {accuracy} (模型从未见过的手写数字)",
    },
    "failing": {
        "en": "3. A job whose user code has a bug",
        "zh": "3. 用户代码有错误的任务",
    },
    "buggy_file": {
        "en": "A pupil wrote {file}, to change the training images:",
        "zh": "一名学生编写了 {file}, 用来变换训练图像:",
    },
    "code": {"en": "Code {code}: {descr}", "zh": "错误码 {code}: {descr}"},
    "where": {
        "en": "In the pupil's own code: {file}, line {line}, in {function}",
        "zh": "出错的学生代码: {file}, 第 {line} 行, 函数 {function}",
    },
    "what": {"en": "What happened:  {text}", "zh": "发生了什么: {text}"},
    "means": {"en": "What it means:  {text}", "zh": "含义: {text}"},
    "next": {"en": "4. What to try next", "zh": "4. 接下来可以试试"},
    "next_serve": {
        "en": "keep a server running; then, in another terminal:",
        "zh": "让服务持续运行; 然后在另一个终端中:",
    },
    "next_services": {"en": "which parameters there are", "zh": "查看有哪些参数"},
    "next_train": {"en": "a training of your own", "zh": "进行你自己的训练"},
    "next_texts": {"en": "the same for texts", "zh": "文本训练"},
    "next_watch": {"en": "all events, as they come", "zh": "实时查看所有事件"},
    "next_doctor": {"en": "what this machine has and lacks", "zh": "检查本机具备和缺少什么"},
}
