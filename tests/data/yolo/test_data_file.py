"""Both kinds of .data file: values, the training flags that they set, and errors."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from gluon_yolo.cli.flags.train import DEFAULTS
from gluon_yolo.data.yolo.data_file import read_data_file
from gluon_yolo.errors import UserError
from gluon_yolo.models import zoo

# From Yolo-FastestV2's documentation.
SECTIONED = """[name]
model_name=coco           # model name

[train-configure]
epochs=300                # train epichs
steps=150,250             # Declining learning rate steps
batch_size=64             # batch size
subdivisions=1            # Same as the subdivisions of the darknet cfg file
learning_rate=0.001       # learning rate

[model-configure]
pre_weights=None          # The path to load the model, if it is none, then restart the training
classes=80                # Number of detection categories
width=352                 # The width of the model input image
height=320                # The height of the model input image
anchor_num=3              # anchor num
anchors=12.64,19.39, 37.88,51.48, 55.71,138.31, 126.91,78.23, 131.57,214.55, 279.92,258.87 #anchor bias

[data-configure]
train=/media/qiuqiu/D/coco/train2017.txt   # train dataset path .txt file
val=/media/qiuqiu/D/coco/val2017.txt       # val dataset path .txt file 
names=./data/coco.names                    # .names category label file
"""


@pytest.fixture
def write(tmp_path):
    def write_file(text):
        path = tmp_path / "my.data"
        path.write_bytes(text if isinstance(text, bytes) else text.encode())
        return path

    return write_file


class TestReading:
    def test_sectioned(self, write):
        file = read_data_file(write(SECTIONED))
        assert (file.model_name, file.epochs, file.steps, file.batch_size) == ("coco", 300, (150, 250), 64)
        assert (file.learning_rate, file.classes, file.size_hw, file.anchor_num) == (0.001, 80, (320, 352), 3)
        assert (len(file.anchors_wh), file.anchors_wh[0], file.anchors_wh[-1]) == (
            6,
            (12.64, 19.39),
            (279.92, 258.87),
        )
        assert file.lists == {
            "train": "/media/qiuqiu/D/coco/train2017.txt",
            "val": "/media/qiuqiu/D/coco/val2017.txt",
        }
        assert (file.names, file.pre_weights, file.backup) == ("./data/coco.names", "None", None)

    def test_darknet(self, write):
        text = b"\xef\xbb\xbfclasses= 2\r\n; a comment\r\n# another\r\n"
        text += b"train  = data/my pictures.txt\r\nvalid=v.txt\r\n"
        file = read_data_file(
            write(text + b"names = data/a#1;b.names ; the classes\r\nbackup = backup/ \r\n")
        )
        assert (file.classes, file.names, file.backup) == (2, "data/a#1;b.names", "backup/")
        assert file.lists == {"train": "data/my pictures.txt", "val": "v.txt"}
        assert file.place("names").endswith("my.data: line 6")
        assert file.place("val").endswith("my.data: line 5")

    def test_number_needs_no_blank_before_a_comment(self, write):
        file = read_data_file(write("epochs=30# epochs\nlearning_rate=1e-2#slow\nsteps=1, 2#two"))
        assert (file.epochs, file.learning_rate, file.steps) == (30, 0.01, (1, 2))

    def test_empty_values_are_none(self, write):
        file = read_data_file(write("train=a.txt\nbackup=\npre_weights= # none\nsteps=\nanchors=\nepochs="))
        assert (file.backup, file.pre_weights, file.steps, file.anchors_wh, file.epochs) == (
            None,
            None,
            (),
            (),
            None,
        )

    @pytest.mark.parametrize(
        ("text", "message"),
        [
            ("train=a\nclasses=three", "line 2: classes: expected a whole number above 0, got 'three'"),
            ("classes=0", "line 1: classes: expected a whole number above 0, got '0'"),
            ("epochs=1.5", "line 1: epochs: expected a whole number above 0, got '1.5'"),
            ("learning_rate=fast", "line 1: learning_rate: expected a number above 0, got 'fast'"),
            ("learning_rate=-1", "line 1: learning_rate: expected a number above 0, got '-1'"),
            ("learning_rate=nan", "line 1: learning_rate: expected a number above 0, got 'nan'"),
            ("steps=150;250", "line 1: steps: expected epochs with commas between"),
            ("steps=150,x", "line 1: steps: expected epochs with commas between, as 150,250, got '150,x'"),
            ("anchors=1,2,3", "line 1: anchors: expected pairs width,height"),
            ("anchors=1,2 3,4", "line 1: anchors: expected pairs width,height"),
            ("anchors=1,0", "line 1: anchors: expected pairs width,height"),
            ("anchor_num=3\nanchors=1,2,3,4", "line 2: 2 anchors are no multiple of anchor_num=3 (line 1)"),
            ("anchor_num=1\nanchors=1,2,3,4,5,6", "line 2: 3 anchors, where Yolo-FastestV2 has 2 outputs of"),
            ("width=352\nheight=350", "line 2: height: expected a multiple of 32, got 350"),
            ("width=352", "line 1: width is given without height; give both"),
            ("\nheight=352", "line 2: height is given without width; give both"),
            ("train=a\ntrain=b", "line 2: train is set again, as in line 1"),
            ("val=a\nvalid=b", "line 2: val is set again, as in line 1"),
            ("train=a\ncolour=red", "line 2: unknown key 'colour'; known are model_name"),
            ("[train-configure]\n[other]", "line 2: unknown section [other]; known are [name] [train-conf"),
            ("train a.txt", "line 1: expected key=value or a [section], got 'train a.txt'"),
        ],
    )
    def test_refused(self, write, text, message):
        path = write(text)
        with pytest.raises(UserError, match=re.escape(f"{path}: {message}")):
            read_data_file(path)

    def test_missing(self, tmp_path):
        with pytest.raises(UserError, match=r"none\.data: cannot read the \.data file: No such file"):
            read_data_file(tmp_path / "none.data")


class TestSettings:
    def test_sectioned(self, write):
        settings = read_data_file(write(SECTIONED)).settings()
        assert settings == {
            "network": "yolo_fastestv2",
            "epochs": 300,
            "batch_size": 64,
            "lr": 0.001,
            "lr_decay_epoch": "150,250",
            "data_shape": "320x352",
            "no_random_shape": True,
            "anchors": "12.64,19.39, 37.88,51.48, 55.71,138.31, 126.91,78.23, 131.57,214.55, 279.92,258.87",
            "save_prefix": "runs/coco-",
        }

    def test_the_network_is_in_the_zoo(self, write):
        assert zoo.canonical(read_data_file(write(SECTIONED)).settings()["network"], "coco")

    def test_names_are_those_of_the_flags(self, write, tmp_path):
        (tmp_path / "w.params").write_bytes(b"")
        settings = read_data_file(write(SECTIONED.replace("=None", "=w.params"))).settings()
        assert settings.keys() - {"anchors"} <= DEFAULTS.keys()
        for name in ("epochs", "batch_size", "lr", "data_shape", "lr_decay_epoch", "save_prefix"):
            assert isinstance(settings[name], type(DEFAULTS[name]))

    def test_darknet(self, write):
        file = read_data_file(write("classes=2\ntrain=a.txt\nnames=a.names\nbackup=backup"))
        assert file.settings() == {"save_prefix": "backup/"}

    def test_what_has_no_use_is_logged(self, write, caplog):
        caplog.set_level("INFO", "gluon_yolo")
        read_data_file(write("train=a.txt\nsubdivisions=4\n\nresults=out")).settings()
        first, second = (record.getMessage() for record in caplog.records)
        assert first.endswith("my.data: line 2: subdivisions=4 has no use here; ignored")
        assert second.endswith("my.data: line 4: results=out has no use here; ignored")

    def test_weights(self, write, tmp_path, monkeypatch):
        file = read_data_file(write("model_name=a\npre_weights=w/1.params"))
        elsewhere = tmp_path / "elsewhere"
        (elsewhere / "w").mkdir(parents=True)
        monkeypatch.chdir(elsewhere)
        with pytest.raises(UserError, match=r"my\.data: line 2: pre_weights: there is no .*1\.params nor "):
            file.settings()
        (elsewhere / "w" / "1.params").write_bytes(b"")
        assert Path(file.settings()["weights"]) == elsewhere / "w" / "1.params"  # in the current folder
        (tmp_path / "w").mkdir()
        (tmp_path / "w" / "1.params").write_bytes(b"")
        assert (
            Path(file.settings()["weights"]) == tmp_path / "w" / "1.params"
        )  # the file's folder comes first

    @pytest.mark.parametrize("word", ["None", "none", ""])
    def test_no_weights(self, write, word):
        assert "weights" not in read_data_file(write(f"pre_weights={word}")).settings()
