# SPDX-License-Identifier: BSD-3-Clause
"""Key shares of the groups that a browser supports but sends no share of unasked."""

from dataclasses import dataclass
from typing import Final

from aioquic.tls import Group
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

from nexusnet.reality.key_exchange import KeyShareError

CURVES: Final[dict[int, ec.EllipticCurve]] = {
    Group.SECP256R1: ec.SECP256R1(),
    Group.SECP384R1: ec.SECP384R1(),
}


@dataclass(frozen=True, slots=True, repr=False)
class EcShare:
    """A client's key on a NIST curve (RFC 8446 section 4.2.8.2).

    Attributes:
        group: which curve, by its number in supported_groups.
        private: the private key.
    """

    group: int
    private: ec.EllipticCurvePrivateKey

    @classmethod
    def generate(cls, group: int) -> "EcShare":
        """Make a fresh one.

        Raises:
            KeyError: another group than those of `CURVES`.
        """
        return cls(group, ec.generate_private_key(CURVES[group]))

    @property
    def public(self) -> bytes:
        """The public key, an uncompressed point."""
        return self.private.public_key().public_bytes(Encoding.X962, PublicFormat.UncompressedPoint)

    def exchange(self, server_share: bytes) -> bytes:
        """Return the shared secret.

        Raises:
            KeyShareError: no point of this curve, or not in the uncompressed form.
        """
        if len(server_share) != len(self.public):
            raise KeyShareError("a key share of the wrong length")
        try:
            peer = ec.EllipticCurvePublicKey.from_encoded_point(CURVES[self.group], server_share)
        except ValueError as error:
            raise KeyShareError("a key share that is no point of its curve") from error
        return self.private.exchange(ec.ECDH(), peer)
