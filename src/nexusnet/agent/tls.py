# SPDX-License-Identifier: BSD-3-Clause
"""Handshakes in mode `tls`: who is trusted."""

import datetime as dt
from collections.abc import Callable
from pathlib import Path
from typing import TextIO

from nexusnet.agent.config import Config, PeerSettings
from nexusnet.agent.connections import (
    SocketDialer,
    SocketListener,
    explain_listen_error,
    listen_address,
    reporting,
)
from nexusnet.agent.errors import StartError, explain_os_error
from nexusnet.dataplane.protocol import DataPlane
from nexusnet.handshake.credentials import Credentials
from nexusnet.handshake.endpoint import Server
from nexusnet.handshake.errors import CertificateExpiredError, ClockError, HandshakeError
from nexusnet.handshake.profile import EngineConfig, TransportProfile, utc_now
from nexusnet.handshake.verify import (
    PeerVerifier,
    PinnedFingerprints,
    TrustedAuthorities,
    check_validity,
)


def load_own(config: Config) -> Credentials:
    """Load this end's certificate and key.

    Raises:
        CredentialsError: they cannot be read or do not belong together.
        StartError: there is none.
    """
    settings = config.handshake
    if settings.certificate_file is None or settings.key_file is None:
        raise StartError("handshake.certificate_file or handshake.key_file is missing")
    return Credentials.load(settings.certificate_file, settings.key_file)


def load_credentials(config: Config, now: dt.datetime) -> Credentials:
    """Load this end's certificate and key, and check their dates.

    Raises:
        CredentialsError: they cannot be read or do not belong together.
        StartError: the certificate is not valid at `now`.
    """
    credentials = load_own(config)
    try:
        check_validity(credentials.certificate, now)
    except (ClockError, CertificateExpiredError) as error:
        fix = (
            "set this machine's clock"
            if isinstance(error, ClockError)
            else "make a new one with `nexus genkey`, and tell the peers its fingerprint"
        )
        # The text speaks of a peer's certificate: it is the same check.
        begin, end = (
            f"{moment:%Y-%m-%d %H:%M}"
            for moment in (
                credentials.certificate.not_valid_before_utc,
                credentials.certificate.not_valid_after_utc,
            )
        )
        raise StartError(
            f"{config.handshake.certificate_file}: this end's certificate is valid from {begin}"
            f" to {end} UTC, but this machine's clock says {now:%Y-%m-%d %H:%M} UTC: {fix}"
        ) from error
    return credentials


def engine_config(
    config: Config,
    verifier: PeerVerifier,
    credentials: Credentials,
    *,
    server_name: str | None = None,
    key_log: TextIO | None = None,
) -> EngineConfig:
    """Return what a handshake engine is told."""
    return EngineConfig(
        verifier=verifier,
        credentials=credentials,
        server_name=server_name,
        profile=TransportProfile(idle_timeout=config.transport.idle_timeout_seconds),
        timeout=config.handshake.timeout_seconds,
        key_log=key_log,
    )


class TlsDialer(SocketDialer):
    """Connects to servers.

    Raises:
        CredentialsError, StartError: as `load_credentials`.
    """

    def __init__(
        self,
        config: Config,
        plane: DataPlane,
        *,
        mark: int | None = None,
        key_log: TextIO | None = None,
        wall_clock: Callable[[], dt.datetime] = utc_now,
    ) -> None:
        super().__init__(config, plane, mark=mark, key_log=key_log)
        self._credentials = load_credentials(config, wall_clock())

    def _engine_config(self, peer: PeerSettings) -> EngineConfig:
        return engine_config(
            self._config,
            self._verifier(peer),
            self._credentials,
            server_name=peer.name_asked_for,
            key_log=self._key_log,
        )

    def _verifier(self, peer: PeerSettings) -> PeerVerifier:
        if peer.authority_file is not None:
            return TrustedAuthorities(read_authorities(peer.authority_file))
        return PinnedFingerprints(dict.fromkeys(peer.pins, peer.name))


class TlsListener(SocketListener):
    """Waits for clients that show pinned certificates."""

    def __init__(
        self,
        config: Config,
        plane: DataPlane,
        *,
        mark: int | None = None,
        key_log: TextIO | None = None,
        wall_clock: Callable[[], dt.datetime] = utc_now,
        on_failure: Callable[[str, HandshakeError], None] | None = None,
    ) -> None:
        """Open the socket; needs a running event loop.

        Args:
            config: of a server.
            plane: the data plane.
            mark: of the outer packets.
            key_log: where TLS secrets go, in a lab.
            wall_clock: time of day, for certificates.
            on_failure: told of a failed handshake: the client's address and why.

        Raises:
            StartError: the port is taken or not ours to take, or the certificate is not valid.
            CredentialsError: certificate or key cannot be used.
        """
        address = listen_address(config)
        credentials = load_credentials(config, wall_clock())
        self._pins = pins_of(config)
        engine = engine_config(config, PinnedFingerprints(self._pins), credentials, key_log=key_log)
        try:
            server = Server.listen(engine, address, on_failure=reporting(on_failure))
        except OSError as error:
            raise explain_listen_error(address, error) from error
        super().__init__(server, plane, engine.profile.connection_id_length, mark)
        self.screen_strangers()

    def reload(self, config: Config) -> None:
        """Take over the pins of a new configuration."""
        fresh = pins_of(config)
        self._pins.clear()
        self._pins.update(fresh)


def pins_of(config: Config) -> dict[bytes, str]:
    """Return the peers' names by fingerprint."""
    return {pin: peer.name for peer in config.peer for pin in peer.pins}


def read_authorities(file: Path) -> bytes:
    """Read the PEM of authorities.

    Raises:
        StartError: the file cannot be read.
    """
    try:
        return file.read_bytes()
    except OSError as error:
        raise StartError(f"authority_file: {file}: {explain_os_error(error)}") from error
