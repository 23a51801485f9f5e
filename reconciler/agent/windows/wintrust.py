"""What WinVerifyTrust answers about a file, by ctypes. Judges nothing: gives the code and the name of the signer.

Nothing is fetched from the network, so revocation is not looked up and no missing certificate is downloaded.

Source: learn.microsoft.com/windows/win32/api/wintrust/nf-wintrust-winverifytrust and …/ns-wintrust-wintrust_data
"""

# ruff: noqa: E402 - the platform is asserted before what only Windows has is imported

from __future__ import annotations

import sys

assert sys.platform == "win32"

import ctypes
import uuid
from collections.abc import Iterator
from ctypes import (
    POINTER,
    Structure,
    byref,
    c_char_p,
    c_int,
    c_long,
    c_size_t,
    c_uint,
    c_void_p,
    c_wchar_p,
    sizeof,
)

from reconciler.kernel.signatures import COMMON_NAME, ORGANISATION, Subject

_wintrust = ctypes.WinDLL("wintrust")
_crypt32 = ctypes.WinDLL("crypt32")

_GENERIC_VERIFY_V2 = (ctypes.c_ubyte * 16).from_buffer_copy(
    uuid.UUID("{00AAC56B-CD44-11d0-8CC2-00C04FC295EE}").bytes_le
)
_NOBODY = c_void_p(-1)
"""INVALID_HANDLE_VALUE: there is no user to ask."""

_UI_NONE = 2
_REVOKE_NONE = 0
_CHOICE_FILE = 1
_STATE_VERIFY, _STATE_CLOSE = 1, 2
_REVOCATION_CHECK_NONE = 0x10
_CACHE_ONLY_URL_RETRIEVAL = 0x1000
_DISABLE_MD2_MD4 = 0x2000
_FLAGS = _REVOCATION_CHECK_NONE | _CACHE_ONLY_URL_RETRIEVAL | _DISABLE_MD2_MD4

_X509_UNICODE_NAME = 20
_OIDS = {b"2.5.4.3": COMMON_NAME, b"2.5.4.10": ORGANISATION}


class _FileInfo(Structure):
    """WINTRUST_FILE_INFO."""

    _fields_ = (("size", c_uint), ("path", c_wchar_p), ("file", c_void_p), ("known_subject", c_void_p))


class _TrustData(Structure):
    """WINTRUST_DATA."""

    _fields_ = (
        ("size", c_uint),
        ("policy_callback", c_void_p),
        ("sip_client", c_void_p),
        ("ui_choice", c_uint),
        ("revocation_checks", c_uint),
        ("union_choice", c_uint),
        ("file", POINTER(_FileInfo)),
        ("state_action", c_uint),
        ("state", c_void_p),
        ("url_reference", c_wchar_p),
        ("provider_flags", c_uint),
        ("ui_context", c_uint),
        ("signature_settings", c_void_p),
    )


class _Blob(Structure):
    """CRYPT_DATA_BLOB and its like."""

    _fields_ = (("size", c_uint), ("data", c_void_p))


class _CertInfo(Structure):
    """CERT_INFO, as far as the subject."""

    _fields_ = (
        ("version", c_uint),
        ("serial_number", _Blob),
        ("algorithm_oid", c_char_p),
        ("algorithm_parameters", _Blob),
        ("issuer", _Blob),
        ("not_before", ctypes.c_uint64),
        ("not_after", ctypes.c_uint64),
        ("subject", _Blob),
    )


class _CertContext(Structure):
    """CERT_CONTEXT."""

    _fields_ = (
        ("encoding", c_uint),
        ("encoded", c_void_p),
        ("encoded_size", c_uint),
        ("info", POINTER(_CertInfo)),
        ("store", c_void_p),
    )


class _ProviderCert(Structure):
    """CRYPT_PROVIDER_CERT, as far as the certificate."""

    _fields_ = (("size", c_uint), ("certificate", POINTER(_CertContext)))


class _Attribute(Structure):
    """CERT_RDN_ATTR."""

    _fields_ = (("oid", c_char_p), ("value_type", c_uint), ("value", _Blob))


class _RelativeName(Structure):
    """CERT_RDN."""

    _fields_ = (("count", c_uint), ("attributes", POINTER(_Attribute)))


class _Name(Structure):
    """CERT_NAME_INFO."""

    _fields_ = (("count", c_uint), ("parts", POINTER(_RelativeName)))


_wintrust.WinVerifyTrust.argtypes = [c_void_p, c_void_p, POINTER(_TrustData)]
_wintrust.WinVerifyTrust.restype = c_long
_wintrust.WTHelperProvDataFromStateData.argtypes = [c_void_p]
_wintrust.WTHelperProvDataFromStateData.restype = c_void_p
_wintrust.WTHelperGetProvSignerFromChain.argtypes = [c_void_p, c_uint, c_int, c_uint]
_wintrust.WTHelperGetProvSignerFromChain.restype = c_void_p
_wintrust.WTHelperGetProvCertFromChain.argtypes = [c_void_p, c_uint]
_wintrust.WTHelperGetProvCertFromChain.restype = POINTER(_ProviderCert)
_crypt32.CryptDecodeObjectEx.argtypes = [
    c_uint, c_size_t, c_void_p, c_uint, c_uint, c_void_p, c_void_p, POINTER(c_uint)
]  # fmt: skip


def verify(path: str) -> tuple[int, Subject | None]:
    """Return what WinVerifyTrust says of a file, and whom the certificate names that it was signed with.

    Args:
        path: the file.

    Returns:
        the HRESULT, without sign, 0 where the signature holds; and the subject, where the file has a signature
        that could be read, whether or not it holds.
    """
    file = _FileInfo(sizeof(_FileInfo), path, None, None)
    data = _TrustData(
        size=sizeof(_TrustData),
        ui_choice=_UI_NONE,
        revocation_checks=_REVOKE_NONE,
        union_choice=_CHOICE_FILE,
        file=ctypes.pointer(file),
        state_action=_STATE_VERIFY,
        provider_flags=_FLAGS,
    )
    try:
        status = _wintrust.WinVerifyTrust(_NOBODY, _GENERIC_VERIFY_V2, byref(data))
        return status & 0xFFFFFFFF, _signer(data.state)
    finally:
        data.state_action = _STATE_CLOSE
        _wintrust.WinVerifyTrust(_NOBODY, _GENERIC_VERIFY_V2, byref(data))


def _signer(state: int | None) -> Subject | None:
    """Return whom the certificate names that the file's first signature was made with, as it was verified."""
    provider = _wintrust.WTHelperProvDataFromStateData(state) if state else None
    signer = _wintrust.WTHelperGetProvSignerFromChain(provider, 0, False, 0) if provider else None
    found = _wintrust.WTHelperGetProvCertFromChain(signer, 0) if signer else None
    if not found or not found.contents.certificate:
        return None
    certificate = found.contents.certificate.contents
    return Subject(tuple(_attributes(certificate.encoding, certificate.info.contents.subject)))


def _attributes(encoding: int, subject: _Blob) -> Iterator[tuple[str, str]]:
    """Yield the attributes of a name that a signer can be pinned by."""
    size = c_uint()
    name = (encoding, _X509_UNICODE_NAME, subject.data, subject.size, 0, None)
    if not _crypt32.CryptDecodeObjectEx(*name, None, byref(size)):
        return
    buffer = ctypes.create_string_buffer(size.value)
    if not _crypt32.CryptDecodeObjectEx(*name, buffer, byref(size)):
        return
    decoded = _Name.from_buffer(buffer)
    for part in decoded.parts[: decoded.count]:
        for attribute in part.attributes[: part.count]:
            if attribute.oid in _OIDS and attribute.value.data:
                text = ctypes.wstring_at(attribute.value.data, attribute.value.size // 2)
                # Wine counts the terminating zero of a text that was UTF-8.
                yield _OIDS[attribute.oid], text.removesuffix("\0")
