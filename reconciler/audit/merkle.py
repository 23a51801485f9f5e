"""The Merkle tree over the audit chain's records, as RFC 6962 section 2.1 defines it. Pure."""

from __future__ import annotations

import hashlib


def leaf_of(record_hash: str) -> bytes:
    """Return what a record of the chain adds to the tree: the 32 bytes of its hash.

    Args:
        record_hash: the record's hash, 64 hexadecimal digits.
    """
    return bytes.fromhex(record_hash)


class Tree:
    """A tree that leaves are added to at the right. It keeps the roots of its perfect subtrees only."""

    def __init__(self) -> None:
        self.size = 0
        """How many leaves it has."""
        self._peaks: list[bytes] = []

    def add(self, leaf: bytes) -> None:
        """Add a leaf.

        Args:
            leaf: its content.
        """
        node = hashlib.sha256(b"\x00" + leaf).digest()
        size = self.size
        while size & 1:  # each perfect subtree of this height has a neighbour now
            node = _joined(self._peaks.pop(), node)
            size >>= 1
        self._peaks.append(node)
        self.size += 1

    def root(self) -> bytes:
        """Return the root, 32 bytes; that of an empty tree is the hash of nothing."""
        if not self._peaks:
            return hashlib.sha256().digest()
        node = self._peaks[-1]
        for peak in reversed(self._peaks[:-1]):
            node = _joined(peak, node)
        return node


def _joined(left: bytes, right: bytes) -> bytes:
    return hashlib.sha256(b"\x01" + left + right).digest()
