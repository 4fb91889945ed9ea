"""What is installed, and what of it works."""

import sys
from pathlib import Path
from types import SimpleNamespace

import pytest

from k12ai_ws.cli.doctor import Finding, software
from k12ai_ws.drivers.registry import BrokenPlugin, Registry


def registry(broken: tuple[BrokenPlugin, ...] = ()) -> Registry:
    service = SimpleNamespace(
        driver=SimpleNamespace(tasks=["train", "predict"]), distribution="k12ai-k12cv", version="1.2"
    )
    return Registry({"k12cv": service}, broken)  # type: ignore[dict-item]


@pytest.mark.parametrize(("version", "status"), [((3, 10, 14), "fail"), ((3, 11, 0), "ok"), ((3, 14, 1), "ok")])
def test_python(version: tuple[int, int, int], status: str) -> None:
    assert software.check_python(version).status == status


def test_a_package_that_is_missing_or_breaks(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.syspath_prepend(tmp_path)
    (tmp_path / "k12ai_broken_binary.py").write_text("raise SystemError('bad magic')")
    broken = software.check_package("k12ai_broken_binary")
    assert (broken.status, broken.found) == ("fail", "not importable: SystemError: bad magic")
    assert "k12ai_broken_binary" not in sys.modules
    missing = software.check_package("k12ai_no_such_package")
    assert missing.advice == "pip install --force-reinstall k12ai_no_such_package"


def test_a_package_that_the_server_can_do_without_is_a_warning(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "pynvml", None)
    finding = software.check_package("pynvml")
    assert finding.status == "warn"
    assert finding.advice == "pip install --force-reinstall nvidia-ml-py"


def test_drivers_and_broken_plugins() -> None:
    ok, broken = software.check_drivers(registry((BrokenPlugin("k12nlp", "k12ai-k12nlp", "ImportError: x"),)))
    assert (ok.status, ok.found) == ("ok", "k12cv (train, predict; k12ai-k12cv 1.2)")
    assert (broken.name, broken.status, broken.found) == ("driver plugin k12nlp", "warn", "ImportError: x")
    (none,) = software.check_drivers(Registry())
    assert none.status == "fail"
    assert "pip install" in str(none.advice)


def test_pytorch_is_not_imported(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.delitem(sys.modules, "torch", raising=False)
    monkeypatch.setattr(sys, "path", [str(tmp_path)])
    assert software.check_torch().status == "warn"
    (tmp_path / "torch.py").write_text("raise AssertionError('imported')")
    info = tmp_path / "torch-2.9.1.dist-info"
    info.mkdir()
    (info / "METADATA").write_text("Metadata-Version: 2.1\nName: torch\nVersion: 2.9.1\n")
    for finder in sys.meta_path:
        getattr(finder, "invalidate_caches", lambda: None)()
    assert software.check_torch() == Finding("pytorch", "ok", "2.9.1")
