"""Ed25519 as section 1 of format.md asks for it: RFC 8032, and nothing of small order.

The equation is left to `cryptography`; it does not look for points of small order, so this does.
"""

from __future__ import annotations

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey

P = 2**255 - 19
D = -121665 * pow(121666, -1, P) % P
Point = tuple[int, int]


def decode(encoded: bytes) -> Point | None:
    """RFC 8032, section 5.1.3."""
    if len(encoded) != 32:
        return None
    number = int.from_bytes(encoded, "little")
    sign, y = number >> 255, number & ((1 << 255) - 1)
    if y >= P:
        return None
    square = (y * y - 1) * pow(D * y * y + 1, -1, P) % P
    x = pow(square, (P + 3) // 8, P)
    if x * x % P != square:
        x = x * pow(2, (P - 1) // 4, P) % P
    if x * x % P != square or (x == 0 and sign == 1):
        return None
    return (P - x if x & 1 != sign else x, y)


def double(point: Point) -> Point:
    x, y = point
    product = D * x * x * y * y % P
    return (
        2 * x * y * pow(1 + product, -1, P) % P,
        (y * y + x * x) * pow(1 - product, -1, P) % P,
    )


def is_sound(encoded: bytes) -> bool:
    """Whether this is a point that is not of small order: eight times it is not the neutral one."""
    point = decode(encoded)
    return point is not None and double(double(double(point))) != (0, 1)


def verifies(public: bytes, signature: bytes, message: bytes) -> bool:
    if len(signature) != 64 or not is_sound(public) or not is_sound(signature[:32]):
        return False
    try:
        Ed25519PublicKey.from_public_bytes(public).verify(signature, message)
    except InvalidSignature:
        return False
    return True
