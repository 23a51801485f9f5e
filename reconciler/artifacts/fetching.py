"""Fetches artifacts from where the catalog says that they can be had. Takes nothing but the very bytes asked for.

Sources are named by whoever can propose a commit: nothing of what they answer is shown or kept unless it is the
artifact. They lead to the public internet, or to networks that the server's configuration grants: a catalog cannot
reach into the server's own network.
"""

from __future__ import annotations

import hashlib
import ipaddress
import socket
import time
from collections.abc import Callable, Iterable, Iterator
from contextlib import closing, contextmanager
from pathlib import Path
from typing import BinaryIO
from urllib.request import getproxies, proxy_bypass

import httpx2

from reconciler.kernel.artifact import Artifact
from reconciler.kernel.errors import ReconcilerError
from reconciler.kernel.resolving import resolve

SILENCE = 30.0
"""Seconds that a server may take to connect, and between two parts of an answer."""

SLOWEST = 32 * 1024
"""Bytes a second that a source must bring over its whole length, so that none can hold a check up for ever."""

_MOST_REDIRECTS = 10
_GRANT_HINT = "To allow it, add its network to sources.networks in the file that RECONCILER_GRANTS names"

IPAddress = ipaddress.IPv4Address | ipaddress.IPv6Address
MayReach = Callable[[IPAddress], bool]


class CannotFetch(ReconcilerError):
    """An artifact that a source does not have, or not as it should be."""

    reference = "cannot-fetch"


def is_public(address: IPAddress) -> bool:
    """Return whether an address is one of the public internet, which nobody needs to grant."""
    mapped = address.ipv4_mapped if isinstance(address, ipaddress.IPv6Address) else None
    plain = mapped or address
    return plain.is_global and not plain.is_multicast


def fetch(source: str, artifact: Artifact, target: Path, may_reach: MayReach = is_public) -> None:
    """Copy an artifact from a source into a file, which is there only once it is whole and right.

    Args:
        source: an http or https address.
        artifact: the file that is wanted: no more than its size is read, and its sha256 must be right.
        target: where to put it; its folder must exist.
        may_reach: tells of an address whether it may be connected to; each redirect is checked as well.

    Raises:
        CannotFetch: the source cannot be reached, or has something else.
    """
    partial = target.with_name(f"{target.name}.part")
    try:
        with _opened(source, may_reach) as chunks, partial.open("wb") as out:
            _copy(chunks, artifact, source, out)
        partial.replace(target)
    except OSError as error:
        raise CannotFetch(f"cannot be read: {error.strerror or error}", where=source) from error
    except httpx2.HTTPStatusError as error:
        raise CannotFetch(f"the server answers {error.response.status_code}", where=source) from error
    except (httpx2.HTTPError, httpx2.InvalidURL) as error:
        raise CannotFetch(f"cannot be reached: {error or type(error).__name__}", where=source) from error
    finally:
        partial.unlink(missing_ok=True)


def _copy(chunks: Iterable[bytes], artifact: Artifact, source: str, out: BinaryIO) -> None:
    hasher = hashlib.sha256()
    size = 0
    latest = time.monotonic() + SILENCE + artifact.size / SLOWEST
    for chunk in chunks:
        size += len(chunk)
        if time.monotonic() > latest:
            raise CannotFetch(f"brings less than {SLOWEST // 1024} KiB/s", where=source)
        if size > artifact.size:
            raise CannotFetch(f"has more than the {artifact.size} bytes that the catalog names", where=source)
        hasher.update(chunk)
        out.write(chunk)
    if size < artifact.size:
        raise CannotFetch(f"has {size} bytes; the catalog names {artifact.size}", where=source)
    if hasher.hexdigest() != artifact.sha256:
        raise CannotFetch("has another sha256 than the catalog names", where=source)


@contextmanager
def _opened(source: str, may_reach: MayReach) -> Iterator[Iterable[bytes]]:
    with httpx2.Client(timeout=SILENCE, follow_redirects=False) as client:
        url = httpx2.URL(source)
        for _ in range(_MOST_REDIRECTS):
            with closing(client.send(_request(client, url, may_reach), stream=True)) as answer:
                if not answer.has_redirect_location:
                    answer.raise_for_status()
                    # As sent: unpacking would let a few bytes become many before they are counted.
                    yield answer.iter_raw()
                    return
                url = url.join(answer.headers["Location"])
    raise CannotFetch(f"cannot be reached: more than {_MOST_REDIRECTS} redirects", where=source)


def _request(client: httpx2.Client, url: httpx2.URL, may_reach: MayReach) -> httpx2.Request:
    """Return the request for an address that may be reached. It goes to the very address that was checked.

    Where a proxy of the environment is asked, it looks the name up itself, so the name goes to it.
    """
    if url.scheme not in ("http", "https"):
        raise CannotFetch("is no http or https address", where=str(url))
    headers = {"Host": url.netloc.decode("ascii"), "Accept-Encoding": "identity"}
    is_proxied = url.scheme in getproxies() and not proxy_bypass(url.host)
    try:
        found = resolve(url.host)
    except socket.gaierror:
        if is_proxied:
            return client.build_request("GET", url, headers=headers)
        raise
    granted = sorted(text for text in found if may_reach(ipaddress.ip_address(text.partition("%")[0])))
    if not granted:
        listed = ", ".join(sorted(found))
        what = f"is at {listed}, which is no public address; nothing was asked of it. {_GRANT_HINT}"
        raise CannotFetch(what, where=str(url))
    if is_proxied:
        return client.build_request("GET", url, headers=headers)
    # Certificates are still checked against the name.
    pinned = url.copy_with(host=granted[0])
    return client.build_request("GET", pinned, headers=headers, extensions={"sni_hostname": url.host})
