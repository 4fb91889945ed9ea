"""GPUs, the clock and the limits of this machine."""

import contextlib
import resource
from datetime import UTC, datetime
from pathlib import Path

from k12ai_ws.monitor.gpus import GpuReader

from .finding import Finding, size_of

OPEN_FILES = 4096
"""A connection takes one descriptor, a running job a few: this is room for some thousand subscribers."""
EARLIEST = datetime(2025, 1, 1, tzinfo=UTC)
"""This software did not exist before: a clock that says so is wrong."""
PCI_DEVICES = Path("/sys/bus/pci/devices")


def check_gpus(reader: GpuReader, pci_devices: Path = PCI_DEVICES) -> Finding:
    """NVIDIA's GPUs. None is fine; one in the machine that no driver serves is not."""
    with contextlib.closing(reader):
        reading = reader.read()
    if reading.gpus:
        parts = [f"{gpu.name or 'GPU'} ({size_of(gpu.memory_total)})" for gpu in reading.gpus]
        found = "; ".join((", ".join(parts), *reading.problems))
        advice = "see nvidia-smi and the kernel's log (dmesg | grep -i nvrm)"
        return Finding("gpus", "warn", found, advice) if reading.problems else Finding("gpus", "ok", found)
    why = reading.absence or "; ".join(reading.problems) or "no reason given"
    if reading.problems or _has_nvidia_card(pci_devices):
        advice = (
            "install the NVIDIA driver that fits this kernel, or reboot if it was just upgraded; then run nvidia-smi"
        )
        return Finding("gpus", "warn", f"an NVIDIA card or driver is here, but not usable: {why}", advice)
    return Finding("gpus", "ok", f"none, jobs run on the CPU: {why}")


def _has_nvidia_card(pci_devices: Path) -> bool:
    """Whether a display (PCI class 03) or accelerator (12) of NVIDIA's (vendor 10de) is plugged in."""
    for device in pci_devices.glob("*"):
        with contextlib.suppress(OSError):
            kind = (device / "class").read_text()[:4]
            if (device / "vendor").read_text().strip() == "0x10de" and kind in ("0x03", "0x12"):
                return True
    return False


def check_clock(now_s: float) -> Finding:
    """Whether the wall clock, which dates every event, can be true."""
    try:
        found = datetime.fromtimestamp(now_s, UTC)
    except (ValueError, OverflowError, OSError) as error:
        return Finding("clock", "fail", f"{now_s}: {error}", "set the clock: sudo timedatectl set-ntp true")
    if found >= EARLIEST and found.year < EARLIEST.year + 100:
        return Finding("clock", "ok", found.isoformat(timespec="seconds"))
    advice = "set the clock (sudo timedatectl set-ntp true): events carry its time"
    return Finding("clock", "fail", f"{found.isoformat(timespec='seconds')} cannot be now", advice)


def check_open_files(limit: int) -> Finding:
    """How many files and connections the server may hold open: the hard limit, to which `k12ai serve` raises itself."""
    if limit == resource.RLIM_INFINITY or limit >= OPEN_FILES:
        return Finding("open files", "ok", "no limit" if limit == resource.RLIM_INFINITY else str(limit))
    advice = "for many subscribers raise it: ulimit -Hn 65536 as root, or LimitNOFILE=65536 in the systemd unit"
    return Finding("open files", "warn", f"{limit}: room for about {max(0, limit - 100)} connections", advice)
