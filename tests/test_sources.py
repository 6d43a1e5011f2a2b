"""Where rows come from: tables in any encoding and of any kind of column, Hugging Face data sets, folders by class."""

import json
from pathlib import Path

import datasets
import numpy as np
import pandas as pd
import pytest
import soundfile
from PIL import Image

from mmfuse.cli import main
from mmfuse.data.class_folders import ClassFolders
from mmfuse.data.hub import Hub
from mmfuse.data.rows import read_rows
from mmfuse.data.table import Table
from mmfuse.data.target_columns import target
from mmfuse.errors import ConfigError, DataError

SHORT = ["trainer.max_epochs=1", "bootstrap=10", "threads=1", "--quiet"]
LABEL = {"label": {"kind": "multiclass"}}
TEXT = {"text": {"kind": "text"}}


@pytest.fixture(autouse=True)
def here(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    return tmp_path


def metrics():
    (folder,) = [f for f in Path("outputs").iterdir() if not f.is_symlink()]
    return json.loads((folder / "metrics.json").read_text())["test"]


def written(text, encoding="utf-8", name="rows.csv"):
    Path(name).write_bytes(text.encode(encoding))
    return Path(name)


class TestRows:
    def test_cells_are_left_as_they_are_written(self):
        rows = read_rows(written('\ufeffa,b\r\n007,"x, ""y"""\r\nNA,2024-01-02\r\n'))
        assert rows.to_dict("list") == {"a": ["007", "NA"], "b": ['x, "y"', "2024-01-02"]}

    def test_another_encoding_is_read_where_it_is_declared(self):
        file = written("词,标\n很好,1\n", "gb18030")
        assert read_rows(file, "gb18030").to_dict("list") == {"词": ["很好"], "标": ["1"]}

    def test_and_refused_with_the_row_and_its_name_otherwise(self):
        with pytest.raises(DataError, match=r"line 3 \(row 1\): not UTF-8.*\n.*dataset.encoding=gb18030"):
            read_rows(written("a,b\nx,1\n很好,2\n", "gb18030"))

    def test_mixed_encodings_are_named_with_the_row(self):
        Path("rows.csv").write_bytes("a,b\n好,1\n".encode() + "很好,2\n".encode("gb18030"))
        with pytest.raises(DataError, match=r"line 3 \(row 1\): not UTF-8"):
            read_rows(Path("rows.csv"))

    def test_mixed_encodings_are_not_taken_for_a_third(self):
        Path("rows.csv").write_bytes("文,字\n".encode() + "好,坏\n".encode("gb18030") + b"\xff,1\n")
        with pytest.raises(DataError, match="several encodings"):
            read_rows(Path("rows.csv"))

    def test_one_label_is_no_choice_of_several(self):
        rows = pd.DataFrame({"tags": ["x", "", "x"]}, dtype=object)
        with pytest.raises(DataError, match="two labels or more"):
            target(rows, "tags", {"kind": "multilabel"})

    def test_an_unknown_encoding(self):
        with pytest.raises(DataError, match="there is no such encoding"):
            read_rows(written("a\n1\n"), "utf-88")

    def test_a_quote_that_is_never_closed_swallows_no_lines(self):
        with pytest.raises(DataError, match="never closed"):
            read_rows(written('a,b\n1,"x\n2,y\n'))

    def test_shards_are_one_table(self):
        Path("rows.parquet").mkdir()
        for k in range(2):
            pd.DataFrame({"a": [k, k + 10]}).to_parquet(f"rows.parquet/{k}.parquet")
        assert read_rows(Path("rows.parquet"))["a"].tolist() == [0, 10, 1, 11]


def table(**about):
    return Table("rows.csv", **{"modalities": TEXT, "tasks": LABEL} | about).load()


class TestTable:
    @pytest.mark.parametrize("path", ["../secret.png", "/etc/secret.png", "a/../../secret.png"])
    def test_a_path_out_of_the_folder_is_refused(self, path):
        written(f"photo,label\na.png,0\n{path},1\n")
        photo = {"photo": {"kind": "image"}}
        with pytest.raises(DataError, match=r"column 'photo', row 1: '.*' leads out of the data set's folder"):
            table(modalities=photo)
        assert table(modalities=photo, outside=True).raw["photo"][1] == Path(".", path)

    def test_a_path_through_a_folder_and_back_is_inside(self):
        written("photo,label\na/../b.png,0\nc.png,1\n")
        assert len(table(modalities={"photo": {"kind": "image"}})) == 2

    def test_dates_are_no_classes(self):
        written("text,label\nx,2024-01-02\ny,2024-01-03\n")
        with pytest.raises(DataError, match="column 'label': its values are dates, such as '2024-01-02'"):
            table()

    def test_nor_numbers(self):
        written("text,label\nx,2024-01-02\ny,2024-01-03\n")
        with pytest.raises(DataError, match="row 0: '2024-01-02' is a date, and not a number"):
            table(tasks={"label": {"kind": "regression"}})

    def test_several_labels(self):
        written('text,label\nx,"b, a"\ny,\nz,a\nw,"[""c""]"\n')
        found = table(tasks={"label": {"kind": "multilabel"}})
        assert found.tasks["label"].classes == ("a", "b", "c")
        np.testing.assert_array_equal(found.targets["label"], [[1, 1, 0], [np.nan] * 3, [1, 0, 0], [0, 0, 1]])

    def test_labels_of_words(self):
        written("text,label\nJo sees Rome,PER O LOC\nyes,O\n,PER\n")
        found = table(tasks={"label": {"kind": "tokens", "of": "text"}})
        assert found.raw["text"] == [["Jo", "sees", "Rome"], ["yes"], None]
        assert [row.tolist() for row in found.targets["label"]] == [[2, 1, 0], [1], [2]]

    def test_items_that_belong_together(self):
        written("text,image,item\na,x.png,7\nb,x.png,7\nc,y.png,\n")
        pairs = {"match": {"kind": "pairs", "between": ["image", "text"], "column": "item"}}
        found = table(modalities=TEXT | {"image": {"kind": "image"}}, tasks=pairs)
        assert found.targets["match"].tolist() == [0, 0, -1]

    @pytest.mark.parametrize("task", [{"kind": "tokens"}, {"kind": "pairs", "between": ["text"]}], ids=str)
    def test_tasks_say_what_they_are_about(self, task):
        written("text,label\nx,a\n")
        with pytest.raises(ConfigError, match="has to name"):
            table(tasks={"label": task})

    def test_cells_of_several_columns(self):
        written("age,city,label\n3,Rome,0\n,,1\n")
        found = table(modalities={"who": {"kind": "tabular", "columns": ["age", "city"]}})
        assert found.raw["who"] == [{"age": "3", "city": "Rome"}, None]

    def test_rows_of_arrays_that_columns_name(self):
        np.savez("one.npz", image=np.arange(12).reshape(3, 2, 2))
        np.savez("two.npz", image=-np.arange(8).reshape(2, 2, 2))
        written("file,at,label\none.npz,2,0\ntwo.npz,0,1\n,0,1\n")
        about = {"kind": "image", "file_column": "file", "row_column": "at"}
        found = table(modalities={"image": about}).raw["image"]
        assert [None if v is None else v.tolist() for v in found] == [[[8, 9], [10, 11]], [[0, -1], [-2, -3]], None]
        written("file,at,label\none.npz,3,0\none.npz,0,1\n")
        with pytest.raises(DataError, match=r"column 'at', row 0: '3' is no row of one\.npz, which has 3"):
            table(modalities={"image": about})


def test_chinese_words_and_pictures_train_in_a_declared_encoding(capsys, random):
    words = {0: ["差", "很差的电影"], 1: ["好", "很好的电影"]}
    lines = ["评论,图片,标签"]
    for row in range(60):
        label = row % 2
        pixels = random.random((9, 9)) * 100 + 100 * label
        Image.fromarray(pixels.astype(np.uint8)).save(f"图{row}.png")
        lines.append(f"{words[label][row % 3 > 0]},图{row}.png,{['坏', '好'][label]}")
    written("\n".join(lines), "gb18030")
    about = ["dataset=table", "dataset.file=rows.csv", "dataset.tasks={label: {kind: multiclass, column: 标签}}"]
    about.append("dataset.modalities={review: {kind: text, column: 评论}, photo: {kind: image, column: 图片}}")
    assert main(["train", *about, *SHORT]) == 3
    assert "line 1 (the header): not UTF-8" in capsys.readouterr().err
    assert main(["train", *about, "dataset.encoding=gb18030", *SHORT, "trainer.max_epochs=8"]) == 0
    assert metrics()["label"]["accuracy"]["mean"] > 0.9


def test_several_labels_words_and_pairs_train(random):
    rows = []
    for _ in range(60):
        words = random.choice(["red", "big", "cat", "dog"], size=4).tolist()
        vector = np.round([words.count(w) + 0.1 * random.standard_normal() for w in ("red", "big", "cat", "dog")], 3)
        tags = [{"cat": "A", "dog": "A"}.get(w, "O") for w in words]
        rows.append({"text": " ".join(words), "code": vector.tolist(), "animals": tags, "has": sorted({*words})})
    Path("rows.jsonl").write_text("\n".join(map(json.dumps, rows)))
    tasks = (
        "dataset.tasks={has: {kind: multilabel}, animals: {kind: tokens, of: text}, "
        "match: {kind: pairs, between: [text, code]}}"
    )
    modalities = "dataset.modalities={text: {kind: text}, code: {kind: vector}}"
    about = ["dataset=table", "dataset.file=rows.jsonl", modalities, tasks, *SHORT, "trainer.max_epochs=15"]
    for task, figure, floor in (("has", "f1_macro", 0.8), ("animals", "accuracy", 0.95), ("match", "mrr", 0.5)):
        assert main(["train", *about, f"tasks=[{task}]", f"output_dir={task}", "optimizer.lr=0.01"]) == 0
        found = json.loads(Path(task, "latest", "metrics.json").read_text())["test"][task]
        assert found[figure]["mean"] > floor, task  # chance: about .5, .5 and .3
        said = pd.read_parquet(Path(task, "latest", "seed-0", "predictions.parquet"))
        assert len(said) == 12
        if task == "animals":
            assert [list(tags) for tags in said["animals/target"]] == [rows[row]["animals"] for row in said["row"]]


class TestHub:
    @pytest.fixture
    def saved(self, random):
        """30 rows in two splits, in the columns' own types: a picture, features, a text, two kinds of labels."""
        features = datasets.Features(
            {
                "photo": datasets.Image(),
                "pose": datasets.List(datasets.Value("float32")),
                "text": datasets.Value("string"),
                "label": datasets.ClassLabel(names=["yes", "no"]),
                "tags": datasets.List(datasets.ClassLabel(names=["O", "B"])),
            }
        )

        def rows(n):
            pictures = [Image.fromarray((random.random((6, 5)) * 255).astype(np.uint8)) for _ in range(n)]
            return {
                "photo": [None if k == 1 else picture for k, picture in enumerate(pictures)],
                "pose": random.standard_normal((n, 3)).tolist(),
                "text": ["a b"] * n,
                "label": [k % 2 for k in range(n - 1)] + [-1],
                "tags": [[0, 1]] * n,
            }

        parts = {name: datasets.Dataset.from_dict(rows(n), features) for name, n in (("train", 20), ("validation", 10))}
        datasets.disable_progress_bars()
        datasets.DatasetDict(parts).save_to_disk("saved")
        return parts

    def test_columns_become_modalities_and_tasks(self, saved):
        kinds = {"photo": "image", "pose": "vector", "text": "text"}
        tasks = LABEL | {"tags": {"kind": "tokens", "of": "text"}}
        found = Hub("saved", {m: {"kind": kind} for m, kind in kinds.items()}, tasks).load()
        assert len(found) == 30
        assert found.split.tolist() == ["train"] * 20 + ["val"] * 10
        assert found.tasks["label"].classes == ("yes", "no")  # as the data set numbers them
        assert found.targets["label"][:3].tolist() == [0, 1, 0]
        assert found.targets["label"][19] == -1
        assert found.raw["text"][0] == ["a", "b"]
        assert found.raw["photo"][1] is None
        assert found.raw["photo"].missing.nonzero()[0].tolist() == [1, 21]
        np.testing.assert_allclose(found.raw["pose"][25], saved["validation"][5]["pose"])

    @pytest.mark.parametrize("memory", ["4.0", "0.0"])
    def test_trains_from_memory_and_from_disk(self, saved, memory):
        about = ["dataset=hf", "dataset.path=saved", "dataset.tasks={label: {kind: multiclass}}"]
        about.append("dataset.modalities={photo: {kind: image}, pose: {kind: vector}}")
        typed = ["dataset.split.column=null", f"loader.memory_gb={memory}", "loader.workers=0", "folds=3"]
        assert main(["train", *about, *typed, *SHORT]) == 0
        assert len(metrics()["label"]["accuracy"]["values"]) == 3

    def test_files_that_are_mapped_anew_hold_the_same(self, saved, monkeypatch):
        monkeypatch.setattr("mmfuse.data.mapped.READ", 1 << 17)  # two rows, as the kernel maps them
        found = Hub("saved", {"pose": {"kind": "vector"}}, LABEL).load().raw["pose"]
        first = found.read.args[0].rows
        for row in [0, 29, 7, 21, 3]:
            part, place = ("train", row) if row < 20 else ("validation", row - 20)
            np.testing.assert_allclose(found[row], saved[part][place]["pose"])
        assert found.read.args[0].rows is not first

    def test_a_name_that_is_not_there(self, monkeypatch):
        monkeypatch.setattr(datasets.config, "HF_HUB_OFFLINE", True)
        with pytest.raises(DataError, match="save_to_disk"):
            Hub("nobody/nothing", TEXT, LABEL).load()

    def test_a_column_that_is_not_there(self, saved):
        with pytest.raises(DataError, match="no column 'phot'\n  did you mean 'photo'"):
            Hub("saved", {"phot": {"kind": "image"}}, LABEL).load()


class TestClassFolders:
    @pytest.fixture
    def folders(self, random):
        for part in ("train", "val", "test"):
            for name in ("cat", "dog"):
                place = Path("pets", part, name)
                place.mkdir(parents=True)
                for k in range(4):
                    Image.fromarray((random.random((6, 6)) * 255).astype(np.uint8)).save(place / f"{k}.png")
                    if k:
                        soundfile.write(place / f"{k}.wav", random.standard_normal(400) * 0.1, 8000)

    MODALITIES = {"photo": {"kind": "image"}, "sound": {"kind": "audio"}}

    def test_files_of_one_stem_are_a_row(self, folders):
        found = ClassFolders(self.MODALITIES, LABEL, "pets").load()
        assert len(found) == 24
        assert found.ids[0] == "test/cat/0"
        assert found.raw["sound"][0] is None
        assert found.raw["sound"][1] == Path("pets/test/cat/1.wav")
        assert found.targets["label"].tolist() == [0, 0, 0, 0, 1, 1, 1, 1] * 3
        assert found.split.tolist() == ["test"] * 8 + ["train"] * 8 + ["val"] * 8

    def test_without_splits_all_folders_are_classes(self, folders):
        found = ClassFolders({"photo": {"kind": "image"}}, LABEL, "pets/train").load()
        assert found.tasks["label"].classes == ("cat", "dog")
        assert found.split is None

    def test_trains(self, folders):
        modalities = "dataset.modalities={photo: {kind: image}, sound: {kind: audio}}"
        assert main(["train", "dataset=folder", "dataset.root=pets", modalities, *SHORT]) == 0
        assert metrics()["label"]["accuracy"]["values"]

    def test_an_empty_folder_says_what_it_looked_for(self, here):
        with pytest.raises(DataError, match=r"holds any of \.bmp.*\n.*DIR/<class>/<file>"):
            ClassFolders({"photo": {"kind": "image"}}, LABEL, ".").load()
