"""Published weights from the Hugging Face hub, at a revision that is named and with a checksum that is checked."""

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
    """Weights as their authors published them.

    Args:
        address: ``hub:OWNER/NAME@COMMIT``.
        sha256: of the weights file at that commit.
    """

    address: str
    sha256: str


def download(address: str, sha256: str, files: tuple[str, ...]) -> Path:
    """The folder that holds some files of a repository; what was downloaded before is not asked for again.

    Args:
        address: ``hub:OWNER/NAME@COMMIT``: names and branches can come to mean other weights, a commit cannot.
        sha256: of the weights file; whoever reads it checks it.
        files: by their names in the repository.

    Raises:
        InputError: no commit or checksum is named, huggingface_hub is missing, or the hub cannot be reached.
    """
    found = ADDRESS.fullmatch(address)
    if found is None:
        raise InputError(address, "it names no commit of the hub", "write hub:OWNER/NAME@COMMIT, 40 hexadecimal digits")
    if not sha256:
        raise InputError(address, "weights from elsewhere need a checksum", "add sha256=, as the hub shows it")
    try:
        from huggingface_hub import hf_hub_download
    except ImportError as error:
        raise InputError(address, "huggingface_hub is not installed", install_command("hub")) from error
    try:
        paths = [hf_hub_download(found["repository"], file, revision=found["revision"]) for file in files]
    except Exception as error:  # the library's own, the HTTP library's and the system's
        cause = f"it cannot be downloaded ({type(error).__name__})"
        raise InputError(address, cause, "check the network and the address, or name a local folder") from error
    return Path(paths[0]).parent
