"""Peer-to-peer voice calls."""

from ._voip import version

__all__ = ["version"]
__version__ = version()
