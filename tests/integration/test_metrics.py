"""`/metrics` of a running server: what it counts, how it names it, and that what is in config/ finds it."""

import asyncio
import json
import os
import re
import shutil
from pathlib import Path

import pytest
from prometheus_client.openmetrics.parser import text_string_to_metric_families as open_metrics
from prometheus_client.parser import text_string_to_metric_families as plain_text

from k12ai_ws.monitor.gpus import GpuStats
from k12ai_ws.telemetry.now import Now, families

ROOT = Path(__file__).resolve().parents[2]
PROMTOOL = os.environ.get("K12AI_PROMTOOL") or shutil.which("promtool")
OPEN = "application/openmetrics-text; version=1.0.0"
NOT_WITHOUT_GPU = {"k12ai_gpu_usage_ratio", "k12ai_gpu_memory_total_bytes", "k12ai_gpu_memory_usage_bytes"}


async def text_of(client, **headers: str) -> str:
    reply = await client.raw("/metrics", **headers)
    assert reply.code == 200, reply.body
    return reply.body.decode()


async def samples_of(client) -> dict[tuple[str, ...], float]:
    """(name, label, value, ...) -> value."""
    found = {}
    for family in plain_text(await text_of(client)):
        for sample in family.samples:
            labels = [word for pair in sorted(sample.labels.items()) for word in pair]
            found[(sample.name, *labels)] = sample.value
    return found


async def test_jobs_events_requests_and_logs_are_counted(client) -> None:
    before = await samples_of(client)
    assert before["k12ai_ready",] == 1
    good = await client.start("print('epoch=1 loss=0.5')")
    await client.until(good)
    bad = await client.start("raise ValueError('no')")
    await client.until(bad)
    long = await client.start("import time\nprint('up', flush=True)\ntime.sleep(60)", "q")
    await client.until_printed(long, 1)
    assert (await client.get("/k12ai/framework/jobs/none")).status == 404
    assert (await client.get("/nowhere/at/all")).status == 404
    found = await samples_of(client)
    assert found["k12ai_jobs", "status", "running"] == 1
    assert found["k12ai_jobs", "status", "queued"] == 0
    assert found["k12ai_job_launches_total", "service", "toy"] == 3
    ends = "k12ai_job_ends_total", "reason"
    assert found[(*ends, "completed", "service", "toy", "status", "finished")] == 1
    assert found[(*ends, "exception", "service", "toy", "status", "failed")] == 1
    assert found["k12ai_job_run_seconds_count",] == 2
    assert found["k12ai_job_queue_seconds_count",] == 3
    stored = {labels[2]: value for labels, value in found.items() if labels[0] == "k12ai_store_events_total"}
    events = [e["type"] for job in (good, bad, long) for e in await client.events(job)]
    assert stored == {kind: events.count(kind) for kind in set(events)}
    assert found["k12ai_store_head_seq",] == len(events)
    assert found["k12ai_store_commit_seconds_count",] > 0
    assert found["k12ai_store_appends_total", "outcome", "stored"] > 0
    assert found["k12ai_store_appends_total", "outcome", "failed"] == 0
    assert found["k12ai_log_read_lines_total",] >= 3
    assert found["k12ai_log_read_bytes_total",] > len("epoch=1 loss=0.5\nup\n")
    assert found["k12ai_log_parse_seconds_count",] >= 3
    assert found["k12ai_launcher_calls_total", "call", "launch"] == 3
    assert not [labels for labels in found if labels[0] == "k12ai_launcher_errors_total"]
    requests = "k12ai_http_requests_total", "method", "GET", "route"
    assert found[(*requests, "/k12ai/framework/jobs/{job_id}", "status", "404")] == 1
    assert found[(*requests, "unmatched", "status", "404")] == 1
    assert found["k12ai_refusals_total", "code", "100205"] == 1
    assert found["k12ai_store_size_bytes",] > 0
    assert found["process_resident_memory_bytes",] > 0
    text = await text_of(client)
    assert not [word for word in (good, bad, long, "nowhere") if word in text], "a job or a path became a label"


async def test_subscribers_are_counted(client) -> None:
    channel = await client.channel()
    before = await samples_of(client)
    assert before["k12ai_subscribers", "state", "live"] == 0
    assert before["k12ai_connections", "transport", "websocket"] == 1
    await channel.subscribe("s", "start")
    job_id = await client.start()
    got = await channel.until_end(job_id)
    found = await samples_of(client)
    assert found["k12ai_subscribers", "state", "live"] == 1
    assert found["k12ai_subscriber_lag_events",] == 0
    events = [raw for message, raw in got if "seq" in message]
    sent = found["k12ai_subscriber_frames_total",] - before["k12ai_subscriber_frames_total",]
    assert sent >= len(events)
    size = found["k12ai_subscriber_sent_bytes_total",] - before["k12ai_subscriber_sent_bytes_total",]
    assert size >= sum(map(len, events))


async def test_event_streams_are_subscribers_too(client) -> None:
    source = await client.listen("/k12ai/events?after=start")
    await source.next()
    found = await samples_of(client)
    assert found["k12ai_connections", "transport", "sse"] == 1
    assert found["k12ai_subscribers", "state", "live"] == 1
    requests = "k12ai_http_requests_total", "method", "GET", "route", "/k12ai/events", "status", "200"
    assert found[requests] == 1


async def test_counts_go_on_from_the_jobs_of_an_earlier_server(house) -> None:
    client = await house.start()
    job_id = await client.start("import os, time\nwhile not os.path.exists('gate'): time.sleep(0.005)")
    await client.until(job_id, "running")
    await house.end()
    client = await house.start()
    (house.data_dir / "workspaces" / "u" / "p" / "toy" / "gate").touch()
    await client.until(job_id)
    found = await samples_of(client)
    assert found["k12ai_job_run_seconds_count",] == 1
    assert found["k12ai_jobs", "status", "running"] == 0


async def test_an_engine_that_fails_is_counted(serve, tmp_path) -> None:
    client = await serve({"jobs": {"launcher": "docker"}, "docker": {"host": f"unix://{tmp_path}/no.sock"}})
    found = await samples_of(client)
    assert found["k12ai_ready",] == 0
    assert found["k12ai_ready_check", "check", "launcher"] == 0
    assert found["k12ai_ready_check", "check", "store"] == 1
    assert found["k12ai_launcher_errors_total", "call", "capacity"] >= 1


async def test_open_metrics_where_it_is_asked_for(client) -> None:
    reply = await client.raw("/metrics", Accept=OPEN)
    assert reply.headers["Content-Type"].startswith("application/openmetrics-text; version=1.0.0")
    text = reply.body.decode()
    assert text.endswith("# EOF\n")
    assert {"k12ai_jobs", "k12ai_store_commit_seconds"} <= {family.name for family in open_metrics(text)}


@pytest.fixture
async def busy(client):
    """A client of a server that has something of everything (but GPUs)."""
    await client.post("/k12ai/platform/stats", {})
    job_id = await client.start("raise ValueError('no')")
    await client.until(job_id)
    await client.get("/k12ai/framework/jobs/none")
    return client


def names_of(expression: str) -> set[str]:
    return set(re.findall(r"\b(?:k12ai|process|python)_\w+", expression))


def series_of(text: str) -> set[str]:
    return {sample.name for family in plain_text(text) for sample in family.samples}


async def test_whatever_the_rules_and_the_dashboard_name_is_there(busy) -> None:
    there = series_of(await text_of(busy)) | NOT_WITHOUT_GPU | {"k12ai_launcher_errors_total"}
    rules = (ROOT / "config" / "alerts.yml").read_text(encoding="utf-8")
    dashboard = json.loads((ROOT / "config" / "grafana" / "k12ai.json").read_text(encoding="utf-8"))
    expressions = [t["expr"] for panel in dashboard["panels"] for t in panel.get("targets", ())]
    expressions += [v["query"]["query"] for v in dashboard["templating"]["list"] if isinstance(v["query"], dict)]
    named = names_of("\n".join(expressions)) | names_of(re.sub(r"\bjob=.*|#.*", "", rules))
    assert len(named) > 30
    assert named <= there


async def test_every_metric_is_documented_and_no_other(busy) -> None:
    there = {family.name for family in plain_text(await text_of(busy)) if family.name.startswith("k12ai_")}
    page = (ROOT / "docs" / "monitoring.md").read_text(encoding="utf-8")
    table = re.findall(r"^\| (`k12ai_.*?) \|", page, re.MULTILINE)
    documented = {name.removesuffix("_total") for cell in table for name in re.findall(r"`(\w+)`", cell)}
    assert documented == there | NOT_WITHOUT_GPU


async def test_names_and_types_follow_the_rules_of_prometheus(busy) -> None:
    now = Now(
        version="1", ready=True, checks={}, jobs={}, head=1, subscribers={}, lag=0, connections={}, frames=0,
        sent_bytes=0, log_dropped=0, data_dir=ROOT, store=ROOT / "none",
        gpus=(GpuStats(percent=50.0, memory_total=4, memory_usage=1),),
    )  # fmt: skip
    found = [*plain_text(await text_of(busy)), *families(now)]
    assert len(found) > 40
    for family in found:
        name = family.name
        assert re.fullmatch(r"(k12ai|process|python)_[a-z0-9_]+", name)
        assert family.documentation, name
        assert family.type in {"counter", "gauge", "histogram", "info"}, name
        assert not re.search(r"_(ms|milliseconds|minutes|kb|mb|percent|count|sum|bucket)$", name), name
        if family.type == "counter":
            assert all(s.name.endswith("_total") for s in family.samples), name
        else:
            assert not name.endswith("_total"), name
    ratios = [s.value for family in found if family.name.endswith("_ratio") for s in family.samples]
    assert ratios
    assert all(0 <= ratio <= 1 for ratio in ratios)


async def promtool(*words: str, given: str = "") -> tuple[int | None, str]:
    process = await asyncio.create_subprocess_exec(
        str(PROMTOOL), *words, stdin=asyncio.subprocess.PIPE, stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.STDOUT,
    )  # fmt: skip
    said, _ = await process.communicate(given.encode())
    return process.returncode, said.decode()


@pytest.mark.skipif(PROMTOOL is None, reason="promtool is not here (Debian's package prometheus has it)")
async def test_promtool_finds_nothing(busy) -> None:
    assert await promtool("check", "metrics", given=await text_of(busy)) == (0, "")
    for words in (["rules", ROOT / "config" / "alerts.yml"], ["config", ROOT / "config" / "prometheus.yml"]):
        code, said = await promtool("check", *map(str, words))
        assert code == 0, said
