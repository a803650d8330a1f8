"""Weights by a URL with a checksum, or by a name on Hugging Face."""

from __future__ import annotations

import contextlib
import re
import urllib.parse
from pathlib import Path

from gluon_yolo.errors import MissingDependency, SettingError, UserError, explain
from gluon_yolo.system.cache import cache_folder
from gluon_yolo.weights.download import Checksum, checksum, fetch, is_offline
from gluon_yolo.weights.published import HUB, PUBLISHED

_URL = re.compile(r"https?://", re.IGNORECASE)
_NAME = re.compile(r"(?P<hf>hf:)?(?P<repo>[\w.-]+/[\w.-]+)(@(?P<revision>[\w./-]+))?")
_FILE_ENDINGS = (".pth", ".pt", ".safetensors", ".params", ".weights", ".bin", ".zip", ".tar")
_FILES = ("model.safetensors", "pytorch_model.bin")  # of a repository, the first choice first
_SECONDS = 5.0
_IN_NAME = re.compile(r"-([0-9a-f]{8,64})\.\w+$")  # PyTorch's habit: the beginning of the SHA-256
_NO_SUCH_FILE = ("EntryNotFoundError", "RemoteEntryNotFoundError")
_HINTS = {
    "RepositoryNotFoundError": "there is no such repository, or it needs a token (`hf auth login`)",
    "GatedRepoError": "its owner wants to be asked first: accept its terms on its page, then `hf auth login`",
    "RevisionNotFoundError": "it has no such revision",
    "OfflineModeIsEnabled": "it is not in the cache, and HF_HUB_OFFLINE forbids to download it",
    "LocalEntryNotFoundError": "it is not in the cache, and its host cannot be reached, or may not be asked",
    "HFValidationError": "this is no name of a repository; expected OWNER/NAME",
}


def is_remote(text: str) -> bool:
    """Return whether a text names weights elsewhere: a URL, or ``OWNER/NAME`` on Hugging Face.

    A file or folder of this name, or an existing first folder, has priority; ``hf:OWNER/NAME`` is always
    Hugging Face's.
    """
    if _URL.match(text):
        return True
    match = _NAME.fullmatch(text)
    if match is None:
        return False
    local = Path(text)
    is_file = local.exists() or local.parent.exists() or text.lower().endswith(_FILE_ENDINGS)
    return match["hf"] is not None or not (is_file or text.startswith((".", "~")))


def canonical(text: str) -> str:
    """Return a text for which :func:`is_remote` holds in the form that means the same in every folder."""
    return text if _URL.match(text) or text.startswith("hf:") else f"hf:{text}"


def fetch_remote(text: str) -> Path:
    """Return the path of weights elsewhere, which are downloaded where they are not in the cache.

    Args:
        text: ``URL#sha256=HEX``, a URL whose file's name ends in such a sum, as PyTorch's do, or
            ``OWNER/NAME`` or ``OWNER/NAME@REVISION`` on Hugging Face, or a name of
            :data:`gluon_yolo.weights.published.PUBLISHED`, which needs no library.

    Raises:
        UserError: the URL has no checksum, or the weights cannot be had.
        MissingDependency: a name is of Hugging Face, and huggingface_hub is not installed.
    """
    return _of_url(text) if _URL.match(text) else _of_hub(text)


def _of_url(text: str) -> Path:
    url, _, fragment = text.partition("#")
    name = urllib.parse.unquote(urllib.parse.urlsplit(url).path.rpartition("/")[2])
    in_name = _IN_NAME.search(name)
    expected = checksum(fragment) if fragment else in_name and Checksum("sha256", in_name[1])
    if not expected or not re.fullmatch(r"[\w.+-]+", name) or name.startswith("."):
        raise SettingError(
            f"{{pretrained_base}} {text}: a URL needs the checksum of its file behind it: {url}#sha256=HEX "
            "(`sha256sum FILE` prints it)"
        )
    target = cache_folder() / "weights" / expected.digits / name
    return target if target.is_file() else fetch(url, target, expected, ask_dead=True)


def _of_hub(text: str) -> Path:
    match = _NAME.fullmatch(text)
    assert match is not None
    repo, revision = match["repo"], match["revision"]
    known = next((each for each in PUBLISHED if each.name == repo and revision is None), None)
    if known is not None and (known.path.is_file() or not known.url.startswith(HUB)):
        return known.fetch(ask_dead=True)
    try:
        import huggingface_hub  # noqa: F401
    except ImportError as error:
        if known is not None:
            return known.fetch(ask_dead=True)
        raise MissingDependency(
            f"{text}: there is no such file, and for this name on Hugging Face "
            f"{explain(error, 'huggingface_hub')}"
        ) from error
    missing = None
    for file in _FILES:
        try:
            path = _from_hub(repo, file, revision)
            _record(repo, revision)
            return Path(path)
        except Exception as error:  # of the library, of its HTTP client, or of the system
            if type(error).__name__ not in _NO_SUCH_FILE:
                raise UserError(f"{text}: not from Hugging Face: {_reason(error)}") from error
            missing = error
    raise UserError(f"{text}: the repository has neither {' nor '.join(_FILES)}; name another") from missing


def _from_hub(repo: str, file: str, revision: str | None) -> str:
    """Return the path of a file of a repository, in the library's cache."""
    import huggingface_hub

    return huggingface_hub.hf_hub_download(
        repo, file, revision=revision, etag_timeout=_SECONDS, local_files_only=is_offline()
    )


def _record(repo: str, revision: str | None) -> None:
    """Fetch timm's record of mean and deviation into the same folder, where the repository has one."""
    with contextlib.suppress(Exception):  # without it, mean and deviation are those of the network
        _from_hub(repo, "config.json", revision)


def _reason(error: Exception) -> str:
    """Return one sentence for an error of the library."""
    names = [kind.__name__ for kind in type(error).__mro__]
    hint = next((_HINTS[name] for name in names if name in _HINTS), None)
    lines = str(error).strip().splitlines()
    return hint or f"{type(error).__name__}: {lines[0] if lines else 'no reason given'}"
