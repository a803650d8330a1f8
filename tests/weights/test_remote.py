"""URLs with a checksum and names on Hugging Face: what counts as one, and what each mistake prints."""

from __future__ import annotations

import hashlib
import sys
import types

import pytest

from gluon_yolo.errors import MissingDependency, UserError
from gluon_yolo.weights import download, remote
from gluon_yolo.weights.download import Checksum
from gluon_yolo.weights.published import Published, named
from gluon_yolo.weights.remote import canonical, fetch_remote, is_remote
from tests.weights.file_server import serving

CONTENT = b"weights" * 1000
SHA256 = hashlib.sha256(CONTENT).hexdigest()


@pytest.fixture(autouse=True)
def _fresh_cache(tmp_path, monkeypatch):
    monkeypatch.setenv("GLUON_YOLO_CACHE", str(tmp_path / "cache"))
    monkeypatch.delenv(download.OFFLINE, raising=False)
    monkeypatch.chdir(tmp_path)


@pytest.mark.parametrize(
    ("text", "remote"),
    [
        ("https://example.org/w.pth", True),
        ("timm/mobilenetv1_100.ra4_e3600_r224_in1k", True),
        ("timm/mobilenetv1_100.ra4_e3600_r224_in1k@main", True),
        ("hf:runs/mine", True),
        ("runs/mine", False),  # the folder `runs` is here
        ("weights/mine.pth", False),
        ("weights/mine.safetensors", False),
        ("./mine/it", False),
        ("~/mine", False),
        ("/root/mine", False),
        ("mine", False),
        ("a/b/c", False),
        ("auto", False),
    ],
)
def test_what_is_elsewhere(text, remote, tmp_path):
    (tmp_path / "runs").mkdir()
    assert is_remote(text) == remote


@pytest.mark.parametrize("text", ["timm/net", "hf:timm/net", "https://example.org/w.pth"])
def test_the_canonical_form_means_the_same_in_every_folder(text, tmp_path):
    form = canonical(text)
    (tmp_path / "timm").mkdir()
    assert is_remote(form) and canonical(form) == form


def test_a_url_is_fetched_once():
    with serving({"w.pth": CONTENT, f"w-{SHA256[:8]}.pth": CONTENT}) as (url, asked):
        path = fetch_remote(f"{url}/whole/w.pth#sha256={SHA256}")
        assert path.read_bytes() == CONTENT and path.name == "w.pth"
        assert fetch_remote(f"{url}/whole/w.pth#sha256={SHA256}") == path and len(asked) == 1
        assert fetch_remote(f"{url}/whole/w-{SHA256[:8]}.pth").read_bytes() == CONTENT


@pytest.mark.parametrize("ending", ["", "#sha256=12", "#md5=" + "0" * 32])
def test_a_url_needs_a_checksum(ending):
    with serving({"w.pth": CONTENT}) as (url, asked):
        with pytest.raises(UserError, match="a URL needs the checksum of its file behind it: .*#sha256=HEX"):
            fetch_remote(f"{url}/whole/w.pth{ending}")
        assert not asked


def test_a_damaged_download():
    with serving({"w.pth": CONTENT}) as (url, _):
        with pytest.raises(
            UserError, match=f"its sha256 is {SHA256}, and should be {'0' * 64}; nothing was kept"
        ):
            fetch_remote(f"{url}/whole/w.pth#sha256={'0' * 64}")


@pytest.fixture
def hub(monkeypatch, tmp_path):
    """Put a library with the answers of a test in the place of huggingface_hub."""

    def put(answers):
        def hf_hub_download(repo, file, revision=None, etag_timeout=10, local_files_only=False):
            answer = answers.get(file)
            asked.append((repo, file, revision, local_files_only))
            if isinstance(answer, str):
                raise type(answer, (Exception,), {})("a text\nof many lines")
            (tmp_path / file).write_bytes(answer)
            return str(tmp_path / file)

        asked = []
        monkeypatch.setitem(
            sys.modules, "huggingface_hub", types.SimpleNamespace(hf_hub_download=hf_hub_download)
        )
        return asked

    return put


ABSENT = "EntryNotFoundError"


def test_a_name_on_hugging_face(hub, tmp_path):
    asked = hub({"model.safetensors": ABSENT, "pytorch_model.bin": CONTENT, "config.json": ABSENT})
    assert fetch_remote("hf:timm/net@v1") == tmp_path / "pytorch_model.bin"
    assert asked[1] == ("timm/net", "pytorch_model.bin", "v1", False)


def test_offline_the_library_is_told_so(hub, monkeypatch):
    monkeypatch.setenv(download.OFFLINE, "1")
    asked = hub({"model.safetensors": CONTENT, "config.json": b"{}"})
    fetch_remote("hf:timm/net")
    assert all(local_only for *_, local_only in asked)


@pytest.mark.parametrize(
    ("answer", "message"),
    [
        (
            "RepositoryNotFoundError",
            "timm/net: not from Hugging Face: there is no such repository, or it needs",
        ),
        ("GatedRepoError", "its owner wants to be asked first"),
        ("RevisionNotFoundError", "it has no such revision"),
        ("OfflineModeIsEnabled", "HF_HUB_OFFLINE forbids to download it"),
        ("LocalEntryNotFoundError", "its host cannot be reached, or may not be asked"),
        ("SomeOtherError", "SomeOtherError: a text$"),
        (ABSENT, "has neither model.safetensors nor pytorch_model.bin"),
    ],
)
def test_names_that_cannot_be_had(hub, answer, message):
    hub({"model.safetensors": answer, "pytorch_model.bin": answer})
    with pytest.raises(UserError, match=message) as error:
        fetch_remote("timm/net")
    assert "\n" not in str(error.value)


def test_without_the_library(monkeypatch):
    monkeypatch.setitem(sys.modules, "huggingface_hub", None)
    with pytest.raises(
        MissingDependency, match=r"there is no such file, .*huggingface_hub is not installed: pip"
    ):
        fetch_remote("timm/net")


@pytest.mark.parametrize("library", [True, False])
def test_a_listed_name_of_another_host_needs_no_library(library, hub, monkeypatch):
    asked = hub({})
    if not library:
        monkeypatch.setitem(sys.modules, "huggingface_hub", None)
    with serving({"w.pth": CONTENT}) as (url, _):
        digits = Checksum("sha256", SHA256)
        listed = Published("some/net", "some", "test", "none", f"{url}/whole/w.pth", digits)
        monkeypatch.setattr(remote, "PUBLISHED", (listed,))
        assert fetch_remote("hf:some/net").read_bytes() == CONTENT
    assert not asked


def test_weights_that_auto_has_fetched_need_no_library(monkeypatch):
    monkeypatch.setitem(sys.modules, "huggingface_hub", None)
    known = named("timm/mobilenetv2_100.ra_in1k")
    known.path.parent.mkdir(parents=True)
    known.path.write_bytes(CONTENT)
    assert fetch_remote(known.name) == known.path
