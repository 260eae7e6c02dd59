"""`python -m sdlib check`: what it says of good, odd and bad folders, and its exit status."""

import os
import shutil
import struct
import zlib

import cv2
import numpy as np
import pytest
from PIL import Image
from typer.testing import CliRunner

from sdlib.__main__ import app
from sdlib.datasets.folder_checks import FolderReport, Grade, check_dataset, check_folder, readings
from sdlib.datasets.images import read_image
from sdlib.datasets.manifest import ManifestDataset


def silent(line):
    """Take a line of progress."""


def checked(folder, **options):
    """Findings of a folder by grade and check, as (check, sentence)."""
    report = check_folder(folder.write(), log=silent, **options)
    grades = {grade: [] for grade in Grade}
    for found in report.findings:
        grades[found.grade].append(str(found))
    return grades[Grade.MEND], grades[Grade.LOOK], grades[Grade.FINE]


def cli(*arguments):
    done = CliRunner().invoke(app, ["check", *map(str, arguments)])
    assert done.exception is None or isinstance(done.exception, SystemExit)
    return done.exit_code, done.stdout, done.stderr


class TestAGoodFolder:
    def test_it_is_fine(self, folder):
        status, out, error = cli(folder.write())
        assert (status, error) == (0, "")
        lines = out.splitlines()
        assert lines[0] == "fine"
        assert lines[1] == "  files: All 100 images can be read."
        assert lines[-1] == (
            "100 images, 50 positive, in 30 groups: nothing must be mended, nothing to look at, "
            "11 fine."
        )

    def test_words_as_labels(self, folder):
        words = ["benign", "tumour"]
        folder.column("label", [words[int(label)] for label in folder.values("label")])
        status, out, _ = cli(folder.write(), "--positive", "tumour")
        assert status == 0
        assert "The classes are positive: tumour; negative: benign." in out
        status, out, error = cli(folder.path, "--positive", "tumor")
        assert (status, out) == (2, "")
        assert "positive label tumor among the labels of manifest.csv, got benign, tumour" in error
        assert error.count("\n") == 1
        status, _, error = cli(folder.path, "--positive", "benign,tumour")
        assert status == 2
        assert "got only positive ones" in error

    def test_a_report_is_a_value(self, folder):
        report = check_dataset(ManifestDataset(folder.write()), silent)
        assert isinstance(report, FolderReport)
        assert report.usable
        assert len(report.sentences) == len(report.findings) + 1
        assert report.sentences[0] == "fine: files: All 100 images can be read."
        assert report.sentences[-1] == report.summary
        assert report == check_folder(folder.path, log=silent)

    def test_images_are_decoded_once(self, folder, monkeypatch):
        read = []

        def count(path, *rest, **named):
            read.append(path)
            return read_image(path, *rest, **named)

        monkeypatch.setattr(readings, "read_image", count)
        check_folder(folder.write(), log=silent)
        assert len(read) == len(set(read)) == 100


class TestClassesGroupsAndSplits:
    def test_a_rare_class(self, folder):
        folder.column("label", [int(i < 6) for i in range(100)])
        _, look, _ = checked(folder)
        assert "accuracy of 0.940 needs no network" in look[0]

    def test_a_class_of_one_group(self, folder):
        folder.column(
            "group",
            [
                f"p{i // 4}" if label == "0" else "q"
                for i, label in enumerate(folder.values("label"))
            ],
        )
        mend, _, _ = checked(folder)
        assert mend[0].startswith("classes: All images of the class positive are of one group")

    def test_labels_that_nobody_knows(self, folder):
        names = {"0": "unknown", "1": "tumour"}
        folder.column("label", [names[label] for label in folder.values("label")])
        _, look, _ = checked(folder, positive="tumour")
        assert look[0].startswith("classes: Images with the label unknown count as negative")

    def test_every_image_a_group(self, folder):
        _, look, _ = checked(folder.column("group", range(100)))
        assert look[0].startswith("groups: Each of the 100 images is a group of its own")

    def test_one_group_of_most_images(self, folder):
        folder.column("group", ["big" if i < 60 else f"p{i}" for i in range(100)])
        _, look, _ = checked(folder)
        assert "The group big has 60 of 100 images" in look[0]

    def test_capitals(self, folder):
        folder.rows[0][2], folder.rows[-1][2] = "Anna", "anna"
        _, look, _ = checked(folder)
        assert look[0].startswith("groups: The groups Anna and anna differ only in capitals")

    def test_splits_are_counted(self, folder, splits):
        _, _, fine = checked(folder.column("split", splits))
        sentence = next(line for line in fine if line.startswith("splits: "))
        for name in ("train", "validation", "test"):
            assert f"{name}: {splits.count(name)} images, " in sentence

    def test_a_split_of_one_class(self, folder, splits):
        folder.column("split", splits)
        folder.rows = [row for row in folder.rows if row[4] != "test" or row[1] == "0"]
        mend, _, _ = checked(folder)
        assert len(mend) == 1
        assert "of the split test are of one class, negative: no AUROC" in mend[0]
        assert cli(folder.path)[0] == 2

    def test_a_split_without_images(self, folder, splits):
        folder.column("split", ["train" if name == "test" else name for name in splits])
        _, look, _ = checked(folder)
        assert look[0].startswith("splits: No image is in the split test")

    def test_splits_of_unequal_shares(self, folder, splits):
        folder.column("split", splits)
        kept = [row for row in folder.rows if row[4] != "test" or row[1] == "0"]
        kept += [row for row in folder.rows if row[4] == "test" and row[1] == "1"][:1]
        folder.rows = kept
        _, look, _ = checked(folder)
        assert "their accuracies cannot be compared" in look[0]


class TestFields:
    def test_empty_columns_and_fields(self, folder):
        folder.column("stain", [""] * 100).column("age", ["", *range(99)])
        _, look, _ = checked(folder)
        assert "fields: The column stain is empty: fill it in or remove it." in look
        assert any(line.startswith("fields: The column age is empty in 1 row (2)") for line in look)

    @pytest.mark.parametrize(
        ("text", "what"),
        [
            ('=HYPERLINK("http://x","y")', "would be run as a formula"),
            ("@SUM(A1)", "would be run as a formula"),
            ("+cmd|' /C calc'!A0", "would be run as a formula"),
            ("<script>alert(1)</script>", "would be taken for HTML"),
            ("a <b onclick=x>", "would be taken for HTML"),
        ],
    )
    def test_text_that_is_run_elsewhere(self, folder, text, what):
        _, look, _ = checked(folder.column("note", [text, *["x", "y"] * 49, "x"]))
        assert len(look) == 1
        assert what in look[0]
        assert "note in row 2" in look[0]

    def test_each_field_of_a_row_is_counted(self, folder):
        folder.column("note", ["=A1", *["x", "y"] * 49, "x"])
        _, look, _ = checked(folder.column("remark", ["@A2", *["v", "w"] * 49, "v"]))
        assert len(look) == 1
        assert "2 fields would be run" in look[0]
        assert "note in row 2, remark in row 2;" in look[0]

    @pytest.mark.parametrize("text", ["-1.5", "+3", "-", "-1e-5", "a<b", "x = 3", "p < .05"])
    def test_text_that_is_harmless(self, folder, text):
        _, look, _ = checked(folder.column("note", [text] * 50 + ["x"] * 50))
        assert look == []


class TestCopies:
    def copy(self, folder, source, target, change=lambda image: image):
        folder.save(folder.rows[target][0], np.ascontiguousarray(change(folder.image(source))))

    def test_across_splits(self, folder, splits):
        folder.column("split", splits)
        source, target = splits.index("train"), splits.index("test")
        while folder.rows[source][1] != folder.rows[target][1]:
            source += 1
        self.copy(folder, source, target, lambda image: cv2.resize(image[:, ::-1], (64, 64)))
        mend, _, _ = checked(folder)
        assert len(mend) == 1
        assert mend[0].startswith("copies: 2 images are copies, or nearly, of an image in another")
        assert f"{source}.png (row {source + 2}, split train)" in mend[0]
        assert f"{target}.png (row {target + 2}, split test)" in mend[0]

    def test_across_groups_and_labels(self, folder):
        labels = folder.values("label")
        target = next(i for i in range(99, 0, -1) if labels[i] != labels[0])
        self.copy(folder, 0, target)
        mend, look, _ = checked(folder)
        assert mend == []
        assert len(look) == 2
        assert "of an image in another group" in look[0]
        assert "of an image with the other label" in look[1]

    def test_within_a_group_they_are_fine(self, folder):
        groups, labels = folder.values("group"), folder.values("label")
        target = next(i for i in range(1, 100) if (groups[i], labels[i]) == (groups[0], labels[0]))
        self.copy(folder, 0, target)
        assert checked(folder)[:2] == ([], [])


def flat(value):
    return np.full((96, 96, 3), value, np.uint8)


def noisy(low, high):
    return np.random.default_rng(0).integers(low, high, (96, 96, 3), np.uint8)


def transparent(image):
    pixels = np.dstack([image, np.full(image.shape[:2], 255, np.uint8)])
    pixels[:9, :9, 3] = 0
    return Image.fromarray(pixels)


def opaque(image):
    return Image.fromarray(np.dstack([image, np.full(image.shape[:2], 255, np.uint8)]))


ODD = {
    "one colour": (lambda image: flat(200), "images", "shows one single colour"),
    "nearly white": (lambda image: noisy(235, 256), "images", "is nearly white"),
    "nearly black": (lambda image: noisy(0, 12), "images", "is nearly black"),
    "tiny": (lambda image: image[:20, :20], "images", "is smaller than 32 px"),
    "huge": (lambda image: cv2.resize(image, (4100, 33)), "images", "is larger than 4096 px"),
    "long": (lambda image: image[:40], "images", "is more than 2 times as long"),
    "size": (lambda image: image[:90, :90], "sizes", "1 of other sizes: 90 x 90 (1), from row 6"),
    "grey": (lambda image: image[:, :, :1].repeat(3, axis=2), "images", "is in grey among"),
    "transparent": (transparent, "images", "has transparent pixels"),
    "16 bit": (
        lambda image: Image.fromarray(image[:, :, 0].astype(np.uint16) * 257),
        "images",
        "differs from the others in the number of bits",
    ),
    "12 of 16 bit": (
        lambda image: Image.fromarray(image[:, :, 0].astype(np.uint16) * 16),
        "images",
        "is 16-bit but dark",
    ),
}


class TestOddImages:
    @pytest.mark.parametrize(("change", "check", "what"), ODD.values(), ids=ODD.keys())
    def test_each_kind_is_named(self, folder, change, check, what):
        folder.save("4.png", change(folder.image(4)))
        mend, look, _ = checked(folder)
        assert mend == []
        assert any(line.startswith(f"{check}: ") and what in line for line in look)
        assert any("(row 6)" in line or "row 6 on" in line for line in look)

    @pytest.mark.parametrize(
        ("name", "save", "what"),
        [
            ("4.jpg", lambda image, file: image.convert("CMYK").save(file), "colour mode"),
            (
                "4.tif",
                lambda image, file: image.save(file, save_all=True, append_images=[image]),
                "has several pages",
            ),
            ("4.jpg", lambda image, file: image.save(file, exif=turned()), "says it is turned"),
        ],
    )
    def test_files_of_another_kind(self, folder, name, save, what):
        save(Image.fromarray(folder.image(4)), folder.path / name)
        folder.rows[4][0] = name
        _, look, _ = checked(folder)
        assert any(what in line for line in look)

    def test_what_is_not_odd(self, folder):
        """An opaque alpha channel, and half of the images in grey, are of no harm by themselves."""
        folder.save("4.png", opaque(folder.image(4)))
        for i in range(0, 100, 2):
            folder.save(f"{i}.png", folder.image(i)[:, :, 1])
        _, look, _ = checked(folder)
        assert [line for line in look if line.startswith("images: ")] == []

    def test_many_are_counted(self, folder):
        for i in range(8):
            folder.save(f"{i}.png", flat(20 * i))
        _, look, fine = checked(folder)
        assert "8 images show one single colour: 0.png (row 2)" in look[0]
        assert "and 3 more" in look[0]
        assert any("8 images show too little to be compared" in line for line in fine)

    def test_images_of_any_size(self, folder):
        for i in range(100):
            folder.save(f"{i}.png", folder.image(i)[: 60 + i % 30])
        _, _, fine = checked(folder)
        assert any("30 sizes, with short sides of 60 to 89 px" in line for line in fine)


def turned():
    exif = Image.Exif()
    exif[274] = 6
    return exif


class TestSharpness:
    def test_a_scanner_out_of_focus(self, folder):
        for i, scanner in enumerate(folder.values("scanner")):
            if scanner == "B":
                folder.save(f"{i}.png", cv2.GaussianBlur(folder.image(i), (0, 0), 2))
        _, look, _ = checked(folder)
        [line] = [line for line in look if line.startswith("sharpness: ")]
        assert line.startswith("sharpness: By scanner, sharpness (median variance of the Lap")
        assert "p below .001" in line

    def test_a_class_out_of_focus(self, folder):
        for i, label in enumerate(folder.values("label")):
            if label == "1":
                folder.save(f"{i}.png", cv2.GaussianBlur(folder.image(i), (0, 0), 2))
        _, look, _ = checked(folder)
        [line] = [line for line in look if line.startswith("sharpness: Sharpness has")]
        assert "an AUROC of 0.0" in line
        assert "a network can use it" in line

    def test_images_without_any(self, folder):
        for i in range(100):
            folder.save(f"{i}.png", flat(i))
        _, look, fine = checked(folder)
        assert any("100 images show one single colour" in line for line in look)
        assert any("By scanner" in line and "(p 1.000)" in line for line in fine)


def truncated(folder):
    folder.save("4.jpg", folder.image(4), quality=90)
    content = (folder.path / "4.jpg").read_bytes()
    (folder.path / "4.jpg").write_bytes(content[:-800])
    folder.rows[4][0] = "4.jpg"


def bomb(folder):
    """A PNG of 40,000 x 40,000 px in a few bytes."""

    def chunk(kind, data):
        return (
            struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))
        )

    header = struct.pack(">IIBBBBB", 40000, 40000, 8, 2, 0, 0, 0)
    content = b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", header) + chunk(b"IDAT", zlib.compress(b"\0"))
    (folder.path / "4.png").write_bytes(content + chunk(b"IEND", b""))


def not_permitted(folder):
    (folder.path / "4.png").chmod(0)


BROKEN = {
    "truncated": (truncated, "4.jpg (row 6 of manifest.csv)"),
    "bomb": (bomb, "4.png (row 6 of manifest.csv) is too large for a tile"),
    "no bytes": (lambda f: (f.path / "4.png").write_bytes(b""), "is not an image that can be read"),
    "text": (lambda f: (f.path / "4.png").write_text("hello"), "is not an image that can be read"),
    "floats": (
        lambda f: (
            Image.fromarray(np.zeros((96, 96), np.float32)).save(f.path / "4.tif"),
            f.rows[4].__setitem__(0, "4.tif"),
        ),
        "expected an 8-bit or 16-bit image",
    ),
    "not permitted": (not_permitted, "4.png (row 6 of manifest.csv) cannot be read"),
}


class TestDamage:
    @pytest.mark.parametrize(("damage", "what"), BROKEN.values(), ids=BROKEN.keys())
    def test_each_is_one_sentence(self, folder, damage, what):
        if damage is not_permitted and os.geteuid() == 0:
            pytest.skip("root may read every file")
        damage(folder)
        status, out, error = cli(folder.write())
        assert (status, error) == (2, "")
        lines = out.splitlines()
        assert lines[:1] == ["must be mended"]
        assert lines[1].startswith("  files: ")
        assert what in lines[1]
        assert lines[1].endswith("; or remove its row.")
        assert lines[2] == ""
        assert ": 1 thing must be mended, " in lines[-1]

    def test_many_do_not_fill_the_screen(self, folder):
        for i in range(30):
            (folder.path / f"{i}.png").write_bytes(b"")
        mend, _, _ = checked(folder)
        assert len(mend) == 21
        assert mend[-1].startswith("files: And 10 more images cannot be read: rows 22, 23, 24")

    def test_no_image_can_be_read(self, folder):
        for i in range(100):
            (folder.path / f"{i}.png").write_bytes(b"")
        status, out, _ = cli(folder.write())
        assert status == 2
        assert ": 21 things must be mended" in out


def rewrite(old, new):
    def change(path):
        file = path / "manifest.csv"
        file.write_text(file.read_text().replace(old, new, 1))

    return change


MANIFESTS = {
    "missing": (lambda path: (path / "manifest.csv").unlink(), "found none: write one there"),
    "manifest is a folder": (
        lambda path: ((path / "manifest.csv").unlink(), (path / "manifest.csv").mkdir()),
        "expected a manifest at",
    ),
    "no folder": (
        lambda path: (shutil.rmtree(path), path.write_text("")),
        "expected a folder at",
    ),
    "no table": (
        lambda path: (path / "manifest.csv").write_text("x" * 5000),
        "x ... (separated by commas)",
    ),
    "header": (rewrite("file,label", "name,label"), "add file"),
    "label": (rewrite("3.png,", "3.png,maybe"), "got maybe"),
    "outside": (rewrite("3.png", "../3.png"), "expected a path inside the manifest's folder"),
    "a folder": (lambda path: ((path / "3.png").unlink(), (path / "3.png").mkdir()), "found none"),
    "twice": (rewrite("\n3.png", "\n2.png"), "expected each file once, got 2.png in row 4"),
    "not UTF-8": (
        lambda path: (path / "manifest.csv").write_bytes(b"file,label,group\na\xff.png,0,p\n"),
        "is not UTF-8 text",
    ),
    "empty": (lambda path: (path / "manifest.csv").write_text(""), "is empty"),
    "one class": (
        lambda path: (path / "manifest.csv").write_text("file,label,group\n3.png,1,p\n"),
        "expected both labels 0 and 1",
    ),
}


@pytest.mark.parametrize(("spoil", "what"), MANIFESTS.values(), ids=MANIFESTS.keys())
def test_bad_manifests_are_one_sentence(folder, spoil, what):
    spoil(folder.write())
    status, out, error = cli(folder.path)
    assert (status, out) == (2, "")
    assert error.startswith("error: ")
    assert error.count("\n") == 1
    assert what in error


def test_groups_in_two_splits_are_refused(folder, splits):
    folder.column("split", splits)
    folder.rows[0][2], folder.rows[0][4] = folder.rows[-1][2], "train"
    folder.rows[-1][4] = "test"
    status, _, error = cli(folder.write())
    assert status == 2
    assert "expected each group in one split" in error


def test_columns_in_any_script_and_length(folder):
    folder.column("Zentrum Ö", ["A" * 3000, *["\u202eB"] * 99]).column("", ["x", "y"] * 50)
    status, out, _ = cli(folder.write())
    assert status in (0, 2)
    assert "\u202e" not in out
