"""Downloads published weights from the Hugging Face hub, at a given commit and with a checksum."""

from __future__ import annotations

import re
from dataclasses import dataclass
from pathlib import Path

from audiogen.errors import InputError
from audiogen.extras import install_command

PREFIX = "hub:"
ADDRESS = re.compile(r"hub:(?P<repository>[\w.-]+/[\w.-]+)@(?P<revision>[0-9a-f]{40})")


@dataclass(frozen=True)
class Published:
    """Address and checksum of published weights.

    Args:
        address: ``hub:OWNER/NAME@COMMIT``.
        sha256: checksum of the weights file at that commit.
    """

    address: str
    sha256: str


def download(address: str, sha256: str, files: tuple[str, ...]) -> Path:
    """Download files of a repository, unless they are in the hub's cache already.

    Args:
        address: ``hub:OWNER/NAME@COMMIT``; a commit, since names and branches can change their contents.
        sha256: checksum of the weights file; must be given, but is checked only when the file is read.
        files: names in the repository.

    Returns:
        The folder of the files.

    Raises:
        InputError: commit or checksum is missing, huggingface_hub is not installed, or the download fails.
    """
    found = ADDRESS.fullmatch(address)
    if found is None:
        raise InputError(address, "it names no commit of the hub", "write hub:OWNER/NAME@COMMIT, 40 hexadecimal digits")
    if not sha256:
        raise InputError(address, "weights of others need a checksum", "add sha256=, as shown on the hub")
    try:
        from huggingface_hub import hf_hub_download
    except ImportError as error:
        raise InputError(address, "huggingface_hub is not installed", install_command("hub")) from error
    try:
        paths = [hf_hub_download(found["repository"], file, revision=found["revision"]) for file in files]
    except Exception as error:  # the library's own, the HTTP library's and the system's
        cause = f"it cannot be downloaded ({type(error).__name__})"
        raise InputError(address, cause, "check the network and the address, or give a local folder") from error
    return Path(paths[0]).parent
