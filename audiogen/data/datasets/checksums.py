"""Checksums of the archives of data sets, as their publishers give them."""

from __future__ import annotations

import hashlib
from pathlib import Path

from audiogen.errors import InputError

KNOWN = {
    "maestro-v3.0.0.zip": ("sha256", "6680fea5be2339ea15091a249fbd70e49551246ddbd5ca50f1b2352c08c95291"),
    "maestro-v3.0.0-midi.zip": ("sha256", "70470ee253295c8d2c71e6d9d4a815189e35c89624b76d22fce5a019d5dde12c"),
    "musicnet.tar.gz": ("md5", "844764911fa0d5b97c97da944a057590"),
    "musicnet_metadata.csv": ("md5", "1caef62cee9c875235e62aac368b49d8"),
    "musicnet_midis.tar.gz": ("md5", "b5fa98a113bfc51c8a445def9f24dc7e"),
}
"""File name -> (kind of digest, digest). From the MAESTRO page and the MusicNet record 5120004 on Zenodo."""


def verify(archive: Path) -> bool:
    """Verify the checksum of an archive.

    Returns:
        False if there is no checksum of that file name.

    Raises:
        InputError: the archive is damaged or cannot be read.
    """
    if archive.name not in KNOWN:
        return False
    kind, digest = KNOWN[archive.name]
    try:
        with archive.open("rb") as file:
            found = hashlib.file_digest(file, kind).hexdigest()
    except OSError as error:
        raise InputError(archive, f"it cannot be read ({error.strerror})", "name an existing archive") from error
    if found != digest:
        raise InputError(archive, f"its {kind} is {found}, not {digest}", "download it again")
    return True
