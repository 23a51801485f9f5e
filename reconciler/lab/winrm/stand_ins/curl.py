"""A stand-in for curl.exe on lab hosts, which Windows 10 has and Wine lacks: one GET into one file."""

from __future__ import annotations

import argparse
import socket
import ssl
import sys
import urllib.error
import urllib.request
from http.client import HTTPException, HTTPResponse
from pathlib import Path
from typing import BinaryIO, NoReturn

_BLOCK = 1 << 16

OK, USAGE, MALFORMED, RESOLVE, CONNECT, PARTIAL, REFUSED, WRITE = 0, 2, 3, 6, 7, 18, 22, 23
TIMED_OUT, NO_RANGES, RECEIVE, CERTIFICATE, CA_FILE = 28, 33, 56, 60, 77
"""Exit codes. Source: curl.se/docs/manpage.html, "EXIT CODES"."""


class _Failed(Exception):
    def __init__(self, code: int, text: str) -> None:
        super().__init__(text)
        self.code = code


class _Parser(argparse.ArgumentParser):
    def error(self, message: str) -> NoReturn:
        print(f"curl: {message}\ncurl: try 'curl --help' for more information", file=sys.stderr)
        sys.exit(USAGE)


def main(words: list[str]) -> int:
    """Do as curl does and return its exit code."""
    options = _options(words)
    options.status = 0
    try:
        _get(options)
    except _Failed as failed:
        if options.show_error or not options.silent:
            print(f"curl: ({failed.code}) {failed}", file=sys.stderr)
        return failed.code
    finally:
        sys.stdout.write(options.write_out.replace("%{http_code}", f"{options.status:03}"))
    return OK


def _options(words: list[str]) -> argparse.Namespace:
    parser = _Parser(prog="curl", add_help=False, allow_abbrev=False)
    for short, name in (
        ("-s", "silent"),
        ("-S", "show-error"),
        ("-f", "fail"),
        ("-L", "location"),
        ("-k", "insecure"),
    ):
        parser.add_argument(short, f"--{name}", action="store_true")
    parser.add_argument("--ssl-no-revoke", action="store_true")
    parser.add_argument("--create-dirs", action="store_true")
    parser.add_argument("-o", "--output", type=Path)
    parser.add_argument("-C", "--continue-at")
    parser.add_argument("-H", "--header", action="append", default=[])
    parser.add_argument("--cacert")
    parser.add_argument("-m", "--max-time", type=float)
    parser.add_argument("--connect-timeout", type=float)
    parser.add_argument("-w", "--write-out", default="")
    parser.add_argument("url")
    return parser.parse_args(words)


def _get(options: argparse.Namespace) -> None:
    if options.create_dirs and options.output:
        options.output.parent.mkdir(parents=True, exist_ok=True)
    start = _start_at(options)
    request = urllib.request.Request(_url(options.url))  # noqa: S310 - of two schemes only
    for header in options.header:
        name, _, value = header.partition(":")
        request.add_header(name.strip(), value.strip())
    if start:
        request.add_header("Range", f"bytes={start}-")
    try:
        with _opener(options).open(request, timeout=options.connect_timeout or options.max_time) as response:
            _save(response, options, start)
            options.status = response.status
    except urllib.error.HTTPError as error:
        options.status = error.code
        _refused(error, options, start)
    except (OSError, HTTPException) as error:
        raise _connection_failed(error, options) from error


def _start_at(options: argparse.Namespace) -> int:
    if options.continue_at is None:
        return 0
    if options.continue_at != "-":
        return int(options.continue_at)
    return options.output.stat().st_size if options.output and options.output.exists() else 0


def _url(text: str) -> str:
    url = text if "://" in text else f"http://{text}"
    if url.partition("://")[0].lower() not in ("http", "https"):
        raise _Failed(1, f'Protocol "{url.partition("://")[0]}" not supported')
    return url


def _opener(options: argparse.Namespace) -> urllib.request.OpenerDirector:
    handlers: list[urllib.request.BaseHandler] = []
    if options.url.lower().startswith("https:"):
        handlers.append(urllib.request.HTTPSHandler(context=_tls(options)))
    if not options.location:
        handlers.append(_StayHere())
    return urllib.request.build_opener(*handlers)


def _tls(options: argparse.Namespace) -> ssl.SSLContext:
    try:
        context = ssl.create_default_context(cafile=options.cacert)
    except (OSError, ssl.SSLError) as error:
        raise _Failed(CA_FILE, f"error adding trust anchors from file: {options.cacert}") from error
    if options.insecure:
        context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
    return context


class _StayHere(urllib.request.HTTPRedirectHandler):
    """Does not follow a redirection, as curl does not without -L."""

    def redirect_request(self, *about: object) -> None:
        return None


def _save(response: HTTPResponse, options: argparse.Namespace, start: int) -> None:
    if start and response.status != 206:
        raise _Failed(NO_RANGES, "HTTP server does not seem to support byte ranges. Cannot resume.")
    if options.output is None:
        _copy(response, sys.stdout.buffer, options)
        return
    try:
        file = options.output.open("ab" if start else "wb")
    except OSError as error:
        raise _Failed(WRITE, f"Failure writing output to destination: {error.strerror}") from error
    with file:
        _copy(response, file, options)


def _copy(response: HTTPResponse, target: BinaryIO, options: argparse.Namespace) -> None:
    expected, received = response.getheader("Content-Length"), 0
    try:
        while block := response.read1(_BLOCK):
            target.write(block)
            received += len(block)
    except TimeoutError as error:
        raise _Failed(TIMED_OUT, f"Operation timed out with {received} bytes received") from error
    except (OSError, HTTPException) as error:
        raise _Failed(RECEIVE, "Recv failure: Connection was reset") from error
    if expected is not None and received < int(expected):
        raise _Failed(PARTIAL, f"transfer closed with {int(expected) - received} bytes remaining to read")


def _refused(error: urllib.error.HTTPError, options: argparse.Namespace, start: int) -> None:
    if start and error.code == 416:
        return  # nothing is left to fetch: curl takes this for the end
    if options.fail:
        raise _Failed(REFUSED, f"The requested URL returned error: {error.code}")
    _copy_error(error, options)


def _copy_error(error: urllib.error.HTTPError, options: argparse.Namespace) -> None:
    data = error.read()
    if options.output is None:
        sys.stdout.buffer.write(data)
    else:
        options.output.write_bytes(data)


def _connection_failed(error: Exception, options: argparse.Namespace) -> _Failed:
    reason = getattr(error, "reason", error)
    if isinstance(reason, ssl.SSLCertVerificationError):
        return _Failed(CERTIFICATE, f"SSL certificate problem: {reason.verify_message}")
    if isinstance(reason, TimeoutError):
        return _Failed(TIMED_OUT, "Connection timed out")
    if isinstance(reason, socket.gaierror):
        return _Failed(RESOLVE, f"Could not resolve host: {options.url}")
    if isinstance(reason, ssl.SSLError):
        return _Failed(35, f"TLS connect error: {reason.reason}")
    if isinstance(reason, ConnectionResetError | HTTPException):
        return _Failed(RECEIVE, "Recv failure: Connection was reset")
    return _Failed(CONNECT, f"Failed to connect to {options.url}: Could not connect to server")


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
