"""The bundled dataset's facts, the split, and the reading of files."""

import csv
import json
from collections import Counter

import pytest
from k12nlp.trainer import data
from k12nlp.trainer.paths import below, bundled, find


@pytest.fixture(scope="module")
def subjects():
    with bundled().open(encoding="utf-8", newline="") as file:
        return list(csv.DictReader(file))


def test_subjects_has_what_is_promised(subjects):
    assert list(subjects[0]) == ["text", "label", "lang"]
    assert len(subjects) >= 480
    counts = Counter((row["label"], row["lang"]) for row in subjects)
    assert {lang for _, lang in counts} == {"en", "zh"}
    assert len({label for label, _ in counts}) >= 6
    assert len(counts) == 2 * len({label for label, _ in counts})
    assert max(counts.values()) <= 1.2 * min(counts.values())


def test_subjects_are_written_in_the_language_they_claim(subjects):
    for row in subjects:
        assert any("\u4e00" <= c <= "\u9fff" for c in row["text"]) == (row["lang"] == "zh"), row["text"]
        assert row["text"] == row["text"].strip()


def test_no_two_subjects_are_alike(subjects):
    texts = [data.normal(row["text"]) for row in subjects]
    assert len(set(texts)) == len(texts)
    assert "" not in texts


def test_no_two_subjects_are_nearly_alike(subjects):
    """No two questions share more than 45 % of their character n-grams (Jaccard): none is another with words new."""
    grams = []
    for row in subjects:
        text, size = data.normal(row["text"]), 2 if row["lang"] == "zh" else 4
        grams.append({text[at : at + size] for at in range(len(text) - size + 1)})
    for first, one in enumerate(grams):
        for second in range(first):
            other = grams[second]
            assert len(one & other) <= 0.45 * len(one | other), (subjects[first]["text"], subjects[second]["text"])


def test_split_is_fixed_and_covers_every_class(subjects):
    assert data.split_of("Why is the sky blue?") == data.split_of("  why is the SKY blue") == "train"
    sizes = Counter(data.split_of(row["text"]) for row in subjects)
    assert 0.6 < sizes["train"] / len(subjects) < 0.8
    assert sizes["test"] >= 80
    for split in data.SPLITS:
        assert len({row["label"] for row in subjects if data.split_of(row["text"]) == split}) >= 6


def load(tmp_path, content, name="file.csv", labelled=True):
    path = tmp_path / name
    path.write_bytes(content if isinstance(content, bytes) else content.encode())
    return data.read(path, name, "text", "label", labelled=labelled)


def test_csv_with_bom_quotes_and_line_breaks(tmp_path):
    found = load(tmp_path, '\ufefftext,label,more\r\n"a, ""b""\nc",x,1\r\n光,y,2\r\n')
    assert [(e.text, e.label) for e in found] == [('a, "b"\nc', "x"), ("光", "y")]


def test_jsonl_with_number_labels_and_blank_lines(tmp_path):
    found = load(tmp_path, '{"text": "a", "label": 1}\n\n{"text": "b", "label": "two"}', "file.jsonl")
    assert [(e.text, e.label) for e in found] == [("a", "1"), ("b", "two")]


def test_labels_may_be_absent_where_they_are_not_needed(tmp_path):
    content = "\n".join(
        json.dumps(row) for row in [{"text": "a"}, {"text": "b", "label": "x"}, {"text": "c", "label": ""}]
    )
    assert [e.label for e in load(tmp_path, content, "f.jsonl", labelled=False)] == [None, "x", None]


@pytest.mark.parametrize(
    ("name", "content", "error", "says"),
    [
        ("f.csv", "", ValueError, "no texts"),
        ("f.csv", "text,label\n", ValueError, "no texts"),
        ("f.csv", "question,label\na,b\n", KeyError, "no field 'text'; it has 'question', 'label'"),
        ("f.csv", "text\na\n", KeyError, "no field 'label'"),
        ("f.csv", "text,label\na,b\nc\n", KeyError, "line 3: no field 'label'"),
        ("f.csv", "text,label\na,b,c\n", ValueError, "line 2: more values"),
        ("f.csv", "text,label\n ,b\n", ValueError, "line 2: 'text' is empty"),
        ("f.csv", "text,label\na, \n", ValueError, "line 2: 'label' must be"),
        ("f.csv", 'text,label\n"a,b\n', ValueError, "not CSV"),
        ("f.csv", b"text,label\ncaf\xe9,b\n", ValueError, "line 2: not UTF-8"),
        ("f.csv", "text,label\n" + "a" * 70_000 + ",b\n", ValueError, "line 2: longer than"),
        ("f.csv", "text,label\na," + "b" * 101 + "\n", ValueError, "line 2: 'label' must be"),
        ("f.csv", "text,label\na,b\x1b[31m\n", ValueError, "printable"),
        ("f.jsonl", '{"text": "a", "label": "b"}\n{"text": \n', ValueError, "line 2: not JSON"),
        ("f.jsonl", "[" * 60_000, ValueError, "line 1: not JSON"),
        ("f.jsonl", "[1, 2]\n", TypeError, "not a JSON object"),
        ("f.jsonl", '{"text": ["a"], "label": "b"}\n', ValueError, "'text' is no text"),
        ("f.jsonl", '{"text": "a", "label": ["b"]}\n', TypeError, "neither a text nor"),
        ("f.jsonl", '{"text": "a", "label": true}\n', TypeError, "neither a text nor"),
    ],
)
def test_bad_files_are_refused_with_the_line_at_fault(tmp_path, name, content, error, says):
    with pytest.raises(error) as caught:
        load(tmp_path, content, name)
    assert says in str(caught.value.args[0])


def test_size_rows_and_classes_are_bounded(tmp_path, monkeypatch):
    monkeypatch.setattr(data, "MAX_FILE_BYTES", 1 << 20)
    with pytest.raises(ValueError, match="larger than 1 MiB"):
        load(tmp_path, b"x" * ((1 << 20) + 1))
    monkeypatch.setattr(data, "MAX_ROWS", 2)
    with pytest.raises(ValueError, match="more than 2 texts"):
        load(tmp_path, "text,label\na,b\nc,d\ne,f\n")
    one = [data.Example("a", "x"), data.Example("b", "x")]
    with pytest.raises(ValueError, match="one label 'x'"):
        data.class_names(one, "f.csv")
    with pytest.raises(ValueError, match="201 different labels"):
        data.class_names([data.Example(str(n), str(n)) for n in range(201)], "f.csv")


def test_a_file_is_found_only_below_the_root(tmp_path):
    root = tmp_path / "root"
    (root / "sub").mkdir(parents=True)
    (root / "sub" / "a.csv").write_text("x")
    (tmp_path / "secret.csv").write_text("x")
    (root / "out.csv").symlink_to(tmp_path / "secret.csv")
    (root / "in.csv").symlink_to(root / "sub" / "a.csv")
    (root / "up").symlink_to(tmp_path)
    (root / "loop.csv").symlink_to(root / "loop.csv")
    assert find(root, "sub/a.csv") == find(root, "in.csv") == (root / "sub" / "a.csv").resolve()
    assert find(None, "subjects") == bundled()
    for name in ("out.csv", "up/secret.csv", "../secret.csv", "/etc/passwd", "sub/../../secret.csv", "a\\b", ""):
        with pytest.raises(PermissionError):
            below(root, name)
    for name in ("none.csv", "sub", "loop.csv", "a" * 300 + ".csv"):
        with pytest.raises(FileNotFoundError):
            below(root, name)
    with pytest.raises(FileNotFoundError, match="no datasets root"):
        below(None, "a.csv")
