"""A stand-in for certutil.exe on lab hosts, whose Wine has an empty one; it knows -hashfile and -decode."""

from __future__ import annotations

import base64
import binascii
import hashlib
import sys
from pathlib import Path

_ALGORITHMS = ("MD5", "SHA1", "SHA256", "SHA384", "SHA512")
_FILE_NOT_FOUND = 0x80070002
_INVALID_DATA = 0x8007000D
_FILE_EXISTS = 0x80070050
_INVALID_ARGUMENT = 0x80070057


def main(words: list[str]) -> int:
    """Do as certutil does and return its exit code."""
    force = "-f" in words
    words = [word for word in words if word != "-f"]
    if len(words) == 3 and words[0].lower() in ("-decode", "/decode"):
        return _decode(Path(words[1]), Path(words[2]), force)
    if not 2 <= len(words) <= 3 or words[0].lower() not in ("-hashfile", "/hashfile"):
        print("CertUtil: this stand-in of the lab knows -hashfile only.")
        return _INVALID_ARGUMENT
    algorithm = (words[2] if len(words) == 3 else "SHA1").upper()
    if algorithm not in _ALGORITHMS:
        return _failed(_INVALID_ARGUMENT, "E_INVALIDARG", "The parameter is incorrect.")
    try:
        with Path(words[1]).open("rb") as file:
            digest = hashlib.file_digest(file, algorithm.lower()).hexdigest()
    except OSError:
        return _failed(
            _FILE_NOT_FOUND, "WIN32: 2 ERROR_FILE_NOT_FOUND", "The system cannot find the file specified."
        )
    print(f"{algorithm} hash of {words[1]}:")
    print(digest)
    print("CertUtil: -hashfile command completed successfully.")
    return 0


def _decode(source: Path, target: Path, force: bool) -> int:
    if target.exists() and not force:
        return _failed(_FILE_EXISTS, "WIN32: 80 ERROR_FILE_EXISTS", "The file exists.", "-decode")
    try:
        content = base64.b64decode(b"".join(source.read_bytes().split()), validate=True)
    except OSError:
        what = "WIN32: 2 ERROR_FILE_NOT_FOUND"
        return _failed(_FILE_NOT_FOUND, what, "The system cannot find the file specified.", "-decode")
    except binascii.Error:
        return _failed(_INVALID_DATA, "WIN32: 13 ERROR_INVALID_DATA", "The data is invalid.", "-decode")
    target.write_bytes(content)
    print(f"Input Length = {source.stat().st_size}\nOutput Length = {len(content)}")
    print("CertUtil: -decode command completed successfully.")
    return 0


def _failed(code: int, name: str, text: str, verb: str = "-hashfile") -> int:
    print(f"CertUtil: {verb} command FAILED: 0x{code:08x} ({name})")
    print(f"CertUtil: {text}")
    return code


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
