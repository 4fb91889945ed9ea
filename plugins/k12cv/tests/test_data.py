import io
import os
import zipfile
from pathlib import Path

import numpy as np
import pytest
from k12cv.trainer import data as data_module
from k12cv.trainer import sources
from k12cv.trainer.data import load, load_files, split_of
from k12cv.trainer.images import Look, decode
from PIL import Image

GRAY = Look(16, "gray")


def png(color: object = 128, mode: str = "L", size: tuple[int, int] = (10, 6)) -> bytes:
    out = io.BytesIO()
    Image.new(mode, size, color).save(out, "PNG")  # type: ignore[arg-type]
    return out.getvalue()


def archive(path: Path, members: dict[str, bytes]) -> None:
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as out:
        for name, content in members.items():
            out.writestr(name, content)


def two_classes(count: int = 20, prefix: str = "") -> dict[str, bytes]:
    return {f"{prefix}{name}/{i:02d}.png": png(shade) for name, shade in (("a", 0), ("b", 255)) for i in range(count)}


def test_digits_are_split_the_same_way_every_time_with_every_class_in_every_split() -> None:
    whole = load("digits", None, Look(8, "gray"))
    assert len(whole) == 1797
    assert whole.images.shape == (1797, 8, 8, 1)
    assert (whole.images.min(), whole.images.max()) == (0, 1)
    sizes = {split: len(whole.part(split)) for split in ("train", "val", "test")}
    assert sizes == {"train": 1253, "val": 180, "test": 364}
    for split in sizes:
        counts = np.bincount(whole.part(split).labels(whole.classes()))
        assert counts.max() - counts.min() <= 0.1 * counts.max() + 2
    again = load("digits", None, Look(8, "gray"), ("test",))
    assert again.keys == whole.part("test").keys
    assert np.array_equal(again.images, whole.part("test").images)


def test_digits_can_be_scaled_and_coloured() -> None:
    assert load("digits", None, Look(16, "rgb"), ("val",)).images.shape == (180, 16, 16, 3)


def test_a_folder_and_an_archive_of_it_are_the_same_dataset(stripes_folder: Path, datasets: Path) -> None:
    members = {p.relative_to(datasets).as_posix(): p.read_bytes() for p in stripes_folder.rglob("*.png")}
    flat = {name.removeprefix("school/"): content for name, content in members.items()}
    archive(datasets / "stripes.zip", flat | {"__MACOSX/stripes/across/000.png": b"x", "stripes/readme.txt": b"x"})
    folder, zipped = load("school/stripes", datasets, GRAY), load("stripes.zip", datasets, GRAY)
    assert folder.classes() == zipped.classes() == ("across", "down")
    assert (folder.keys, folder.splits) == (zipped.keys, zipped.splits)
    assert np.array_equal(folder.images, zipped.images)
    assert set(folder.splits) == {"train", "val", "test"}


def test_new_images_move_no_old_one() -> None:
    splits = [split_of(f"rose/{i}.png") for i in range(2000)]
    assert splits == [split_of(f"rose/{i}.png") for i in range(2000)]
    assert 0.17 < splits.count("test") / 2000 < 0.23
    assert 0.08 < splits.count("val") / 2000 < 0.12


def test_broken_images_are_skipped_with_a_warning(datasets: Path, capsys: pytest.CaptureFixture[str]) -> None:
    cut = png(size=(200, 200))[:60]
    archive(datasets / "d.zip", two_classes() | {"a/broken.png": b"rubbish", "b/cut.png": cut, "a/empty.png": b""})
    assert len(load("d.zip", datasets, GRAY)) == 40
    warned = capsys.readouterr().err
    for name in ("a/broken.png", "b/cut.png", "a/empty.png"):
        assert f"warning: skipped broken image {name!r}" in warned
    assert "'a/broken.png': not an image (PNG, JPEG," in warned


def test_many_warnings_are_counted_not_printed(datasets: Path, capsys: pytest.CaptureFixture[str]) -> None:
    archive(datasets / "d.zip", two_classes() | {f"a/x{i}.png": b"" for i in range(100)})
    load("d.zip", datasets, GRAY)
    warned = capsys.readouterr().err
    assert warned.count("warning: skipped") == 20
    assert "warning: 80 more like these" in warned


def test_a_dataset_without_images_is_refused(datasets: Path) -> None:
    (datasets / "empty").mkdir()
    archive(datasets / "broken.zip", {"a/1.png": b"rubbish", "b/1.png": b"rubbish"})
    for name in ("empty", "broken.zip"):
        with pytest.raises(ValueError, match="has no readable image"):
            load(name, datasets, GRAY)


def test_one_class_is_not_enough(datasets: Path) -> None:
    archive(datasets / "d.zip", {f"a/{i}.png": png() for i in range(30)})
    with pytest.raises(ValueError, match="has 1 classes; a classifier needs 2"):
        load("d.zip", datasets, GRAY).classes()


def test_labels_that_the_model_does_not_know_are_refused(datasets: Path) -> None:
    archive(datasets / "d.zip", two_classes())
    with pytest.raises(ValueError, match=r"previously unseen labels: \['b'\]"):
        load("d.zip", datasets, GRAY).labels(("a", "c"))


def test_unlabelled_images_belong_to_every_split_where_they_are_asked_for(datasets: Path) -> None:
    archive(datasets / "d.zip", two_classes() | {"loose.png": png(), "new/x.png": png()})
    found = load("d.zip", datasets, GRAY, ("val",), known=("a", "b"))
    unlabelled = {key for key, name in zip(found.keys, found.names, strict=True) if name is None}
    assert unlabelled == {"loose.png", "new/x.png"}
    assert {split for split in found.splits if split} == {"val"}
    assert "loose.png" not in load("d.zip", datasets, GRAY).keys


@pytest.mark.parametrize("name", ["/etc", "../x", "a/../../x", "a\\b", "a\0b", ""])
def test_the_trainer_itself_refuses_names_outside_the_root(datasets: Path, name: str) -> None:
    with pytest.raises(ValueError, match="is no path below the datasets root"):
        load(name, datasets, GRAY)


def test_links_that_leave_the_root_are_refused(datasets: Path, tmp_path: Path) -> None:
    secret = tmp_path / "secret"
    secret.mkdir()
    (secret / "s.png").write_bytes(png())
    (datasets / "out").symlink_to(secret)
    with pytest.raises(ValueError, match="leaves the datasets root"):
        load("out", datasets, GRAY)
    for link, target in (("file.png", secret / "s.png"), ("folder", secret)):
        folder = datasets / f"with-{link}" / "a"
        folder.mkdir(parents=True)
        (folder / link).symlink_to(target)
        with pytest.raises(ValueError, match=f"{link}' is a link that leaves the datasets root"):
            load(f"with-{link}", datasets, GRAY)
    (datasets / "link.png").symlink_to(secret / "s.png")
    with pytest.raises(ValueError, match="leaves the datasets root"):
        load_files(["link.png"], datasets, GRAY)


def test_the_root_itself_may_be_a_link(stripes_folder: Path, datasets: Path, tmp_path: Path) -> None:
    (tmp_path / "alias").symlink_to(datasets)
    assert len(load("school/stripes", tmp_path / "alias", GRAY)) == 60


def test_a_pipe_among_the_images_does_not_block(stripes_folder: Path, datasets: Path) -> None:
    os.mkfifo(stripes_folder / "down" / "pipe.png")
    assert len(load("school/stripes", datasets, GRAY)) == 60


def test_missing_things_are_named(datasets: Path) -> None:
    with pytest.raises(FileNotFoundError, match="nothing"):
        load("nothing", datasets, GRAY)
    with pytest.raises(FileNotFoundError, match="No datasets root is given"):
        load("nothing", None, GRAY)
    (datasets / "note.txt").write_text("x")
    with pytest.raises(ValueError, match="neither a folder nor a"):
        load("note.txt", datasets, GRAY)
    with pytest.raises(ValueError, match="is not a readable image"):
        load_files(["note.txt"], datasets, GRAY)


def test_a_zip_bomb_is_refused_before_it_is_unpacked(datasets: Path) -> None:
    archive(datasets / "bomb.zip", two_classes() | {"a/bomb.png": bytes(4 << 20)})
    with pytest.raises(ValueError, match="unpacks to more than 200 times its size"):
        load("bomb.zip", datasets, GRAY)


def test_archives_are_bounded_in_entries_and_size(datasets: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    archive(datasets / "d.zip", two_classes())
    with monkeypatch.context() as patch:
        patch.setattr(sources, "MAX_ENTRIES", 39)
        with pytest.raises(ValueError, match="more than 39 entries"):
            load("d.zip", datasets, GRAY)
    with monkeypatch.context() as patch:
        patch.setattr(sources, "MAX_ARCHIVE_BYTES", 1000)
        with pytest.raises(ValueError, match="unpack to more than"):
            load("d.zip", datasets, GRAY)
    with monkeypatch.context() as patch:
        patch.setattr(data_module, "MAX_ARRAY_BYTES", 10_000)
        with pytest.raises(ValueError, match="choose a smaller image_size"):
            load("d.zip", datasets, GRAY)


def test_members_that_climb_are_skipped_and_nothing_is_extracted(
    datasets: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    hostile = {"../evil/1.png": png(), "/abs/1.png": png(), "a/../../x.png": png(), "a/\x1b[2J.png": png()}
    archive(datasets / "d.zip", two_classes() | hostile)
    before = sorted(datasets.parent.rglob("*"))
    assert load("d.zip", datasets, GRAY).classes() == ("a", "b")
    assert sorted(datasets.parent.rglob("*")) == before
    warned = capsys.readouterr().err
    assert "skipped '../evil/1.png'" in warned
    assert "\x1b" not in warned


def test_an_image_of_too_many_pixels_is_not_decoded() -> None:
    with pytest.raises(ValueError, match="8000x8000 pixels are more than"):
        decode(b"P5 8000 8000 255\n", GRAY)


@pytest.mark.parametrize(
    ("content", "value"),
    [
        (png(255), 1.0),
        (png((255, 0, 0), "RGB"), 0.298),
        (png((0, 0, 0, 0), "RGBA"), 1.0),
        (png(65535, "I;16"), 1.0),
        (png(0, "I;16"), 0.0),
        (png(1, "1"), 1.0),
        (png(7, "P"), None),
    ],
)
def test_every_kind_of_image_reads_as_brightness(content: bytes, value: float | None) -> None:
    pixels = decode(content, GRAY)
    assert pixels.shape == (16, 16, 1)
    assert pixels.dtype == np.float32
    if value is not None:
        assert pixels.mean() == pytest.approx(value, abs=0.01)
