"""Advice on downloads, connections and services of others."""

from k12ai_ws.wire.codes import Code

from .entry import Advice, advice, optional

_TYPES = "HTTPError HTTPStatusError HfHubHTTPError ClientResponseError"
_STATUS = r"(?:HTTP Error |[Cc]lient error '?|[Ss]erver error '?|^)({}) ?(?:(?:Client|Server) Error)?"

NETWORK: tuple[Advice, ...] = (
    advice(
        "",
        "CERTIFICATE_VERIFY_FAILED|certificate verify failed",
        r"",
        "the server's certificate could not be checked: the image lacks the package ca-certificates, its clock is "
        "wrong, or a proxy stands between; download elsewhere, and put the files into the datasets folder",
        "无法验证服务器的证书: 镜像缺少ca-certificates, 时钟有误, 或中间有代理; 请在别处下载, 再放入数据集目录",
    ),
    advice(
        _TYPES,
        "40",
        _STATUS.format("401|403|407") + r"(?:[\s\S]{0,200}?https?://([\w.-]{1,200}))?",
        "the server[[ {2}]] refused this download ({1}): it wants a login or a permission; fetch the files with your "
        "own account, and put them into the datasets or pretrained folder",
        "服务器[[{2}]]拒绝了下载 ({1}): 需要登录或授权; 请用自己的账号下载后放入数据集或预训练模型目录",
    ),
    advice(
        _TYPES,
        "404|410",
        _STATUS.format("404|410") + r"(?:[\s\S]{0,200}?(https?://[^\s'\"]{1,200}))?",
        "the server has nothing under this address[[, {2}]] ({1}): check its spelling, and whether the file has moved",
        "服务器上没有该地址[[{2}]] ({1}): 请检查拼写, 以及文件是否已移走",
    ),
    advice(
        _TYPES,
        "429|50",
        _STATUS.format("429|50[0234]") + r"(?:[\s\S]{0,200}?https?://([\w.-]{1,200}))?",
        "the server[[ {2}]] is too busy or out of order ({1}): try again later, or put the files into the datasets or "
        "pretrained folder",
        "服务器[[{2}]]繁忙或故障 ({1}): 请稍后重试, 或将文件放入数据集或预训练模型目录",
    ),
    advice(
        "UsageError AuthenticationError CommError",
        "api_key|API key|wandb login|WANDB",
        r"api_key not configured|No API key configured|wandb login|WANDB_API_KEY",
        "wandb has no key to log in with: set WANDB_API_KEY for the job, or WANDB_MODE=offline to keep the records in "
        "files",
        "wandb没有登录用的key: 请为任务设置WANDB_API_KEY, 或设WANDB_MODE=offline保存到文件",
        code=Code.CONFIGURATION,
    ),
    advice(
        "NoCredentialsError PartialCredentialsError CredentialRetrievalError TokenRetrievalError",
        "",
        r"",
        "the store of files (S3) wants a key, and the job has none: set AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY "
        "for it, or put the data into the datasets folder",
        "对象存储 (S3) 需要密钥, 而任务没有: 请设置AWS_ACCESS_KEY_ID和AWS_SECRET_ACCESS_KEY, 或将数据放入数据集目录",
        code=Code.CONFIGURATION,
    ),
    advice(
        "ClientError",
        "An error occurred (",
        r"\((AccessDenied|403|InvalidAccessKeyId|SignatureDoesNotMatch|ExpiredToken|InvalidToken)\) when calling",
        "the store of files (S3) refused the job's key ({1}): check AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY, and "
        "what that key may read",
        "对象存储 (S3) 拒绝了任务的密钥 ({1}): 请检查AWS_ACCESS_KEY_ID和AWS_SECRET_ACCESS_KEY及其权限",
    ),
    advice(
        "",
        "internet connection|URL fetch failure|Name or service not known|Temporary failure in name resolution|Max "
        "retries exceeded|Network is unreachable|Failed to resolve|getaddrinfo failed|No route to host"
        "|nodename nor servname|Could not resolve host|All connection attempts failed",
        optional(
            r"(?:fetch failure on|host='|Could not resolve host: |Failed to resolve ')(?:https?://)?([\w.-]{1,200})"
        ),
        "nothing could be fetched[[ from {1}]]: a container has no network unless its service asks for one; put models "
        "into the pretrained folder and data into the datasets folder before the job starts",
        "无法[[从{1}]]获取数据: 容器默认没有网络, 除非服务申请; 请在启动前将模型放入预训练模型目录, 数据放入数据集目录",
    ),
    advice(
        "LocalEntryNotFoundError OfflineModeIsEnabled URLError MaxRetryError ConnectTimeout ReadTimeout "
        "ReadTimeoutError ConnectTimeoutError gaierror ConnectError NewConnectionError NameResolutionError SSLError "
        "SSLCertVerificationError ProxyError ClientConnectorError EndpointConnectionError HTTPError IncompleteRead "
        "ChunkedEncodingError ContentTooShortError",
        "",
        r"",
        "a download failed: a container has no network unless its service asks for one; put models into the pretrained "
        "folder and data into the datasets folder",
        "下载失败: 容器默认没有网络, 除非服务申请; 请将模型放入预训练模型目录, 数据放入数据集目录",
    ),
    advice(
        "ConnectionRefusedError",
        "",
        r"",
        "nothing listens at that address: start the other side first, and check address and port (inside a container "
        "localhost is the container itself)",
        "该地址没有服务在监听: 请先启动对方, 并检查地址和端口 (容器内的localhost是容器自身)",
    ),
    advice(
        "ConnectionResetError ConnectionAbortedError ConnectionError RemoteDisconnected",
        "",
        r"",
        "the other side closed the connection: it failed or ended first (look at its error), or the network broke",
        "对方关闭了连接: 请先查看对方的报错, 也可能是网络中断",
    ),
    advice(
        "TimeoutError",
        "",
        r"",
        "something waited for did not come in time: another process has ended or hangs, or the network does not reach "
        "that far",
        "等待超时: 另一进程已退出或卡住, 或网络不通",
    ),
)
"""Tried in this order; the first that holds speaks."""
