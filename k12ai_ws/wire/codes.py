"""The one table of result codes: number, description in English and Chinese, HTTP status.

The numbers are the ancestor system's, kept so that its front ends go on working; new ones take free
numbers in the same hundreds. A code never changes with the language, only its description does.
"""

from enum import IntEnum
from typing import Literal, NamedTuple

Language = Literal["en", "zh"]
LANGUAGES: tuple[Language, ...] = ("en", "zh")


class Code(IntEnum):
    """Every code that a message of this server can carry."""

    SUCCESS = 100000
    STARTING = 100001
    RUNNING = 100002
    FINISHED = 100003
    STOPPED = 100004
    PAUSED = 100005
    PREEMPTED = 100006
    QUEUED = 100007
    LOST = 100008
    WARNING = 100009
    STOPPING = 100010
    PAYLOAD_TOO_LARGE = 100011
    KEY_MISSING = 100101
    VALUE_INVALID = 100102
    NOT_JSON = 100103
    NOT_AUTHENTICATED = 100105
    NOT_ALLOWED = 100106
    EVENTS_PRUNED = 100107
    TOO_MANY = 100108
    SERVICE_NOT_FOUND = 100201
    START_FAILED = 100202
    ENGINE_FAILED = 100203
    ALREADY_RUNNING = 100204
    NOT_FOUND = 100205
    MODEL_MISSING = 100208
    QUEUE_FULL = 100210
    MODEL_BROKEN = 100211
    DATASET_MISSING = 100212
    PREDICT_FILE_MISSING = 100213
    PARAMS_INVALID = 100231
    INPUT_FILE_MISSING = 100232
    PARAM_MISSING = 100233
    OUT_OF_MEMORY = 100901
    NOT_IMPLEMENTED = 100902
    CONFIGURATION = 100903
    CONFIGURATION_KEY_MISSING = 100904
    FILE_NOT_FOUND = 100905
    GPU_OUT_OF_MEMORY = 100906
    LOSS_NOT_FINITE = 100907
    IMAGE_NOT_FOUND = 100908
    COMMAND_FAILED = 100909
    MODULE_NOT_FOUND = 100910
    INDEX_ERROR = 100911
    NAME_ERROR = 100912
    KEY_ERROR = 100913
    ATTRIBUTE_ERROR = 100914
    SYNTAX_ERROR = 100915
    INDENTATION_ERROR = 100916
    TYPE_ERROR = 100917
    OPERAND_TYPE = 100918
    VALUE_ERROR = 100919
    ASSERTION = 100920
    KILLED_BY_SIGNAL = 100921
    TIME_LIMIT = 100922
    ZERO_DIVISION = 100930
    UNKNOWN = 100999


class Meaning(NamedTuple):
    """What a code says, and the HTTP status of a REST answer that carries it."""

    en: str
    zh: str
    http: int


MEANINGS: dict[Code, Meaning] = {
    Code.SUCCESS: Meaning("success", "成功", 200),
    Code.STARTING: Meaning("the job is starting", "任务启动中", 202),
    Code.RUNNING: Meaning("the job is running", "任务运行中", 202),
    Code.FINISHED: Meaning("the job finished", "任务已完成", 200),
    Code.STOPPED: Meaning("the job was stopped by hand", "任务已被手动停止", 200),
    Code.PAUSED: Meaning("the job is paused", "任务已暂停", 200),
    Code.PREEMPTED: Meaning("the job was pre-empted", "任务被抢占", 200),
    Code.QUEUED: Meaning("the job is waiting in the queue", "任务排队中", 202),
    Code.LOST: Meaning("the job was lost: nobody saw how it ended", "任务丢失: 无法得知其结束方式", 200),
    Code.WARNING: Meaning("warning", "警告", 200),
    Code.STOPPING: Meaning("the job is stopping", "任务停止中", 202),
    Code.PAYLOAD_TOO_LARGE: Meaning("the request is too large", "请求内容过大", 413),
    Code.KEY_MISSING: Meaning("a required key is missing", "缺少必需的字段", 400),
    Code.VALUE_INVALID: Meaning("a value is invalid", "字段的值无效", 400),
    Code.NOT_JSON: Meaning("the request is not JSON", "请求不是合法的JSON", 400),
    Code.NOT_AUTHENTICATED: Meaning("not authenticated", "未通过身份验证", 401),
    Code.NOT_ALLOWED: Meaning("not allowed", "没有权限", 403),
    Code.EVENTS_PRUNED: Meaning("the events asked for are no longer kept", "所请求的事件已被清理", 410),
    Code.TOO_MANY: Meaning("too many requests or connections", "请求或连接过多", 429),
    Code.SERVICE_NOT_FOUND: Meaning("service not found", "服务不存在", 404),
    Code.START_FAILED: Meaning("the job could not be started", "任务启动失败", 500),
    Code.ENGINE_FAILED: Meaning("the container engine failed", "容器引擎故障", 503),
    Code.ALREADY_RUNNING: Meaning("a job of this user and service_uuid is already active", "任务已在运行", 409),
    Code.NOT_FOUND: Meaning("not found or not running", "不存在或未在运行", 404),
    Code.MODEL_MISSING: Meaning("no model to evaluate or predict with", "没有可用于评估或预测的模型", 400),
    Code.QUEUE_FULL: Meaning("the queue is full", "任务队列已满", 429),
    Code.MODEL_BROKEN: Meaning("the model file is broken", "模型文件已损坏", 400),
    Code.DATASET_MISSING: Meaning("the dataset is missing", "数据集不存在", 400),
    Code.PREDICT_FILE_MISSING: Meaning("the file to predict is missing", "待预测的文件不存在", 400),
    Code.PARAMS_INVALID: Meaning("service_params is invalid", "服务参数无效", 400),
    Code.INPUT_FILE_MISSING: Meaning("an input file is missing", "输入文件不存在", 400),
    Code.PARAM_MISSING: Meaning("a required service parameter is missing", "缺少必需的服务参数", 400),
    Code.OUT_OF_MEMORY: Meaning("out of memory", "内存不足", 200),
    Code.NOT_IMPLEMENTED: Meaning("not implemented", "尚未实现", 501),
    Code.CONFIGURATION: Meaning("the configuration is wrong", "配置错误", 200),
    Code.CONFIGURATION_KEY_MISSING: Meaning("a configuration key is missing", "配置缺少字段", 200),
    Code.FILE_NOT_FOUND: Meaning("file not found", "文件不存在", 200),
    Code.GPU_OUT_OF_MEMORY: Meaning("GPU out of memory", "GPU显存不足", 200),
    Code.LOSS_NOT_FINITE: Meaning("a metric is not finite (NaN or infinite)", "指标不是有限数值 (NaN或无穷)", 200),
    Code.IMAGE_NOT_FOUND: Meaning("container image not found", "容器镜像不存在", 200),
    Code.COMMAND_FAILED: Meaning("a system command failed", "系统命令执行失败", 200),
    Code.MODULE_NOT_FOUND: Meaning("module not found", "模块不存在", 200),
    Code.INDEX_ERROR: Meaning("index out of range", "索引越界", 200),
    Code.NAME_ERROR: Meaning("name is not defined", "名称未定义", 200),
    Code.KEY_ERROR: Meaning("key not found", "键不存在", 200),
    Code.ATTRIBUTE_ERROR: Meaning("attribute not found", "属性不存在", 200),
    Code.SYNTAX_ERROR: Meaning("syntax error", "语法错误", 200),
    Code.INDENTATION_ERROR: Meaning("indentation error", "缩进错误", 200),
    Code.TYPE_ERROR: Meaning("wrong type", "类型错误", 200),
    Code.OPERAND_TYPE: Meaning("wrong operand types", "操作数类型错误", 200),
    Code.VALUE_ERROR: Meaning("wrong value", "数值错误", 200),
    Code.ASSERTION: Meaning("assertion failed", "断言失败", 200),
    Code.KILLED_BY_SIGNAL: Meaning("killed by a signal", "被信号终止", 200),
    Code.TIME_LIMIT: Meaning("the time limit was reached", "超出时间限制", 200),
    Code.ZERO_DIVISION: Meaning("division by zero", "除数为零", 200),
    Code.UNKNOWN: Meaning("unknown error", "未知错误", 500),
}


def describe(code: int, language: Language = "en") -> str:
    """The description of `code` in `language`; a code that is not in the table reads as unknown."""
    meaning = MEANINGS.get(Code(code)) if code in Code._value2member_map_ else None
    meaning = meaning or MEANINGS[Code.UNKNOWN]
    return meaning.zh if language == "zh" else meaning.en


def http_status(code: int) -> int:
    """The HTTP status of a REST answer whose error carries `code` (500 for one not in the table).

    Codes of a job's end (file not found, out of memory, ...) stand in events and have no status of an error. Where a
    driver refuses a request with one of them, the request cannot be met as it is: 400, never a success.
    """
    if code not in Code._value2member_map_:
        return 500
    status = MEANINGS[Code(code)].http
    return status if status >= 400 else 400
