"""`k12ai stats`: the server's machine and its running jobs."""

import argparse

from .exits import Exit
from .options import add_server

ITEMS = ("cpus", "gpus", "disks", "containers")


def seconds(text: str) -> float:
    """An argparse type: 0.2 to 3600 seconds."""
    try:
        value = float(text)
    except ValueError:
        value = -1.0
    if not 0.2 <= value <= 3600:
        raise argparse.ArgumentTypeError(f"{text!r}: give seconds from 0.2 to 3600")
    return value


def configure(parser: argparse.ArgumentParser, _command: str) -> None:
    """The command's options."""
    parser.add_argument("--every", type=seconds, metavar="S", help="again every S seconds, until Ctrl-C")
    for item in ITEMS:
        parser.add_argument(f"--{item}", action="store_true", help=f"{item} (with none named: all)")
    add_server(parser)


def examples(_command: str) -> str:
    """For `--help`."""
    return """\
examples:
  k12ai stats
  k12ai stats --every 2 --cpus --gpus
  k12ai stats --json | jq .cpu_percent"""


def run(args: argparse.Namespace) -> int:
    """Prints statistics once, or on and on."""
    from collections.abc import Iterator, Mapping
    from contextlib import aclosing
    from typing import Any

    from k12ai_ws.client import Client

    from .output import Output
    from .session import lost_note, with_client

    query = {item: True for item in ITEMS if getattr(args, item)} or None

    async def work(client: Client, output: Output) -> int:
        if args.every is None:
            show(await client.stats(query), output)
            return Exit.OK
        stream = client.stats_stream(args.every, query, on_lost=lost_note(output))
        async with aclosing(stream):
            async for message in stream:
                show(message.body, output)
        return Exit.OK

    def show(stats: Mapping[str, Any], output: Output) -> None:
        if output.json:
            output.data(stats)
            return
        for line in lines(stats, output):
            output.line(line)

    def lines(stats: Mapping[str, Any], output: Output) -> Iterator[str]:
        words = output.words
        if "cpu_percent" in stats:
            each = " ".join(f"{p:.0f}" for p in stats.get("cpu_percent_list", ()))
            yield f"CPU  {percent(stats['cpu_percent'])}  ({each})"
            used, total = stats.get("cpu_memory_usage"), stats.get("cpu_memory_total")
            yield f"{words('memory')}  {percent(stats.get('cpu_memory_percent'))}  {size(used)} / {size(total)}"
        if "gpus" in stats and not stats["gpus"]:
            yield words("no_gpus")
        for gpu in stats.get("gpus", ()):
            memory = f"{size(gpu.get('gpu_memory_usage'))} / {size(gpu.get('gpu_memory_total'))}"
            yield f"{words('gpu')}  {percent(gpu.get('gpu_percent'))}  {memory}  {gpu.get('name')}"
        for disk in stats.get("disks", ()):
            used = f"{size(disk.get('disk_usage'))} / {size(disk.get('disk_total'))}"
            yield f"{words('disk')}  {percent(disk.get('disk_percent'))}  {used}  {disk.get('path')}"
        for box in stats.get("containers", ()):
            whose = f"{box.get('user')}/{box.get('service_uuid')}  {box.get('op')}  {box.get('job_id')}"
            yield f"{words('job')}  {percent(box.get('cpu_percent'))}  {size(box.get('cpu_memory_usage'))}  {whose}"

    return with_client(args, work)


def percent(value: float | None) -> str:
    """`47.4 %`, or `?` where it is not known."""
    return "    ?" if value is None else f"{value:5.1f} %"


def size(count: float | None) -> str:
    """Bytes in a unit that fits.

    >>> size(1536), size(None)
    ('1.5 KiB', '?')
    """
    if count is None:
        return "?"
    for unit in ("B", "KiB", "MiB", "GiB"):
        if count < 1024:
            return f"{count:.1f} {unit}"
        count /= 1024
    return f"{count:.1f} TiB"
