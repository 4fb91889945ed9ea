"""What the command says, in English and Chinese."""

from typing import Literal

Language = Literal["en", "zh"]

WORDS: dict[str, tuple[str, str]] = {
    "queued": ("queued", "排队中"),
    "starting": ("starting", "启动中"),
    "running": ("running", "运行中"),
    "stopping": ("stopping", "停止中"),
    "finished": ("finished", "已完成"),
    "failed": ("failed", "失败"),
    "stopped": ("stopped", "已停止"),
    "lost": ("lost", "已丢失"),
    "error": ("error", "错误"),
    "warning": ("warning", "警告"),
    "your_line": ("in your code", "你的代码"),
    "frames_hidden": ("({n} more frames in libraries)", "(另有 {n} 层库代码)"),
    "caused_by": ("caused by", "起因"),
    "while_handling": ("while handling", "处理以下异常时发生"),
    "job_started": ("job {job_id}: {status}", "任务 {job_id}: {status}"),
    "how_to_watch": ("watch it:  k12ai watch --job {job_id}", "查看:  k12ai watch --job {job_id}"),
    "how_to_stop": ("stop it:   k12ai stop {job_id}", "停止:  k12ai stop {job_id}"),
    "job_goes_on": (
        "Job {job_id} goes on. Watch it again: k12ai watch --job {job_id}; stop it: k12ai stop {job_id}",
        "任务 {job_id} 仍在继续。重新查看: k12ai watch --job {job_id}; 停止: k12ai stop {job_id}",
    ),
    "connection_lost": (
        "connection lost ({why}); trying again in {delay:.1f} s",
        "连接中断 ({why}); {delay:.1f} 秒后重试",
    ),
    "place": ("queue  {position} of {waiting}: {reason}", "队列  第 {position} 个, 共 {waiting} 个: {reason}"),
    "no_jobs": ("no jobs", "没有任务"),
    "more_jobs": ("more: --cursor {cursor}", "更多: --cursor {cursor}"),
    "no_services": (
        "no services: install a driver plugin, such as plugins/k12cv",
        "没有服务: 请安装驱动插件, 例如 plugins/k12cv",
    ),
    "broken_plugin": ("plugin {plugin} failed to load: {error}", "插件 {plugin} 加载失败: {error}"),
    "rules_allowed": (
        "takes rules for a job's log: --rule REGEX, --rules FILE.toml (docs/rules.md)",
        "可为任务日志指定规则: --rule REGEX, --rules FILE.toml (docs/rules.md)",
    ),
    "no_params": ("no parameters", "没有参数"),
    "nothing_active": (
        "no job of user {user} and uuid {uuid} is active",
        "用户 {user} 的 {uuid} 没有活动的任务",
    ),
    "stop_asked": ("job {job_id}: {status}", "任务 {job_id}: {status}"),
    "job": ("job", "任务"),
    "task": ("task", "操作"),
    "user": ("user", "用户"),
    "status": ("status", "状态"),
    "created": ("created", "创建时间"),
    "duration": ("seconds", "用时(秒)"),
    "service": ("service", "服务"),
    "description": ("description", "说明"),
    "parameter": ("parameter", "参数"),
    "type": ("type", "类型"),
    "default": ("default", "默认值"),
    "memory": ("memory", "内存"),
    "gpu": ("GPU", "GPU"),
    "disk": ("disk", "磁盘"),
    "no_gpus": ("no GPU", "无GPU"),
    "framework": ("read as {name}, which the log shows", "按 {name} 的格式读取 (由日志识别)"),
    "rule_found": (
        "rule {n}  {pattern}  lines: {lines}  first: {line}",
        "规则 {n}  {pattern}  行数: {lines}  首行: {line}",
    ),
    "rule_no_number": (
        "rule {n}  {pattern}  matched, but what it captured is no number: {captured} (lines: {lines})",
        "规则 {n}  {pattern}  已匹配, 但捕获的不是数字: {captured} (行数: {lines})",
    ),
    "rule_also_no_number": (
        "        lines where what it captured is no number: {lines}, the first: {captured}",
        "        捕获的不是数字的行数: {lines}, 首个: {captured}",
    ),
    "rule_other_case": (
        "        ... but for small and capital letters: put (?i) before the pattern, or write it as here: {line}",
        "        ... 但忽略大小写时有: 可在表达式前加 (?i), 或按此书写: {line}",
    ),
    "rule_not_found": (
        "rule {n}  {pattern}  found nothing in {seen} lines",
        "规则 {n}  {pattern}  在 {seen} 行中未找到",
    ),
    "rule_missing": ("        no line has the text {text}", "        没有任何一行包含 {text}"),
    "rule_near": (
        "        its longest beginning that was found is {beginning}; what follows, {rest}, was not, here: {line}",
        "        已匹配的最长开头是 {beginning}; 其后的 {rest} 未匹配: {line}",
    ),
    "rule_whole": (
        "        it matches, but captures nothing, here: {line}",
        "        它匹配了, 但没有捕获任何内容: {line}",
    ),
    "rule_no_lines": (
        "        the log has no line that is not part of an error",
        "        除错误信息外, 该日志没有任何行",
    ),
    "prune_what": ("what", "内容"),
    "prune_count": ("number", "数量"),
    "prune_bytes": ("size", "大小"),
    "prune_of": ("of jobs", "涉及任务"),
    "prune_log": ("log lines", "日志"),
    "prune_progress": ("progress", "进度"),
    "prune_thinned": ("metrics, thinned (at most)", "指标抽稀 (至多)"),
    "prune_metrics": ("metrics", "指标"),
    "prune_rest": ("statuses and errors", "状态与错误"),
    "prune_jobs": ("jobs, with all their events", "任务及其全部事件"),
    "prune_raw_logs": ("raw log files", "原始日志文件"),
    "prune_nothing": ("nothing would go", "没有需要删除的内容"),
    "pruned": (
        "removed {events} events ({bytes}), {jobs} jobs, {files} raw logs ({raw})",
        "已删除 {events} 个事件 ({bytes}), {jobs} 个任务, {files} 个原始日志 ({raw})",
    ),
    "compacted": ("the store's file is {bytes} smaller", "存储文件缩小了 {bytes}"),
    "want_token": (
        "Put a token into K12AI_TOKEN, into {file}, or name a file with --token-file. On the server's machine "
        "`k12ai token create --user NAME` (or --admin) makes one.",
        "请将令牌放入 K12AI_TOKEN 或 {file}, 或用 --token-file 指定文件。可在服务器上用 "
        "`k12ai token create --user NAME` (或 --admin) 创建。",
    ),
    "token_made": (
        "token {id} of {whose}{until}. This is the only time that it is shown:",
        "令牌 {id}, 属于 {whose}{until}。仅显示这一次:",
    ),
    "token_until": (", good until {at} UTC", ", 有效期至 {at} UTC"),
    "token_revoked": ("token {id} is revoked", "令牌 {id} 已吊销"),
    "no_tokens": ("no tokens", "没有令牌"),
    "tokens_hidden": (
        "{count} revoked or expired: --all lists them too",
        "另有 {count} 个已吊销或过期: 用 --all 一并列出",
    ),
    "an_admin": ("an admin", "管理员"),
    "token": ("token", "令牌"),
    "state": ("state", "状态"),
    "expires": ("expires", "过期时间"),
    "last_used": ("last used", "最近使用"),
    "note": ("note", "备注"),
    "user_made": ("user {name} has this password now", "用户 {name} 的密码已设置"),
    "user_removed": ("user {name} is removed; the jobs stay", "用户 {name} 已删除; 任务保留"),
    "no_users": ("no password users", "没有密码用户"),
    "admin": ("admin", "管理员"),
    "changed": ("password set", "密码设置时间"),
    "backed_up": (
        "{file}: {events} events of {jobs} jobs, up to seq {head}",
        "{file}: {jobs} 个任务的 {events} 个事件, 至 seq {head}",
    ),
    "restored": (
        "the log is that of {file}: {events} events of {jobs} jobs, up to seq {head}; its new epoch is {epoch}",
        "日志已恢复为 {file}: {jobs} 个任务的 {events} 个事件, 至 seq {head}; 新的 epoch 为 {epoch}",
    ),
    "kept_aside": ("what it replaced is kept in {folder}", "被替换的文件保留在 {folder}"),
    "all_well": ("Everything that is needed is here.", "所需的都已具备。"),
    "some_warn": ("It works, with less than it could: see the lines marked !", "可以运行, 但有所欠缺: 见标记 ! 的行"),
    "some_fail": ("It does not work yet: see the lines marked x", "尚不能运行: 见标记 x 的行"),
}


class Words:
    """The words of one language."""

    def __init__(self, language: Language) -> None:
        self.language: Language = language
        self._index = 1 if language == "zh" else 0

    def __call__(self, key: str, **values: object) -> str:
        """The text of `key` with its values put in; a key that is not in the table stands for itself."""
        pair = WORDS.get(key)
        text = key if pair is None else pair[self._index]
        return text.format(**values) if values else text
