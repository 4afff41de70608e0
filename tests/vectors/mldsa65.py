"""ML-DSA-65 (FIPS 204) in its pure form with an empty context, as section 6 of format.md asks."""

from __future__ import annotations

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.mldsa import MLDSA65PublicKey


def is_sound(public: bytes) -> bool:
    return len(public) == 1_952


def verifies(public: bytes, signature: bytes, message: bytes) -> bool:
    try:
        MLDSA65PublicKey.from_public_bytes(public).verify(signature, message)
    except (InvalidSignature, ValueError):
        return False
    return True
