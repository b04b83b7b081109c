"""HTTPS by configuration: a certificate that may be renewed while the daemon lives."""

import logging
import ssl

from schedd.errors import ConfigError

LOG = logging.getLogger("schedd")


class Encryption:
    """Holds the TLS context of the server, and the files that it was loaded from."""

    def __init__(self, cert: str, key: str | None) -> None:
        """Load a certificate chain and its key from PEM files.

        Raises ConfigError when one cannot be read, or they do not belong together.
        """
        self.context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        self.context.minimum_version = ssl.TLSVersion.TLSv1_2
        self._load(cert, key)

    def renew(self, cert: str | None, key: str | None) -> None:
        """Take the files as they are now; connections from now on see them. What is wrong is only logged."""
        if cert is None:
            return  # plain HTTP again wants a restart: the sockets are open
        try:
            self._load(cert, key)
        except ConfigError as error:
            LOG.warning("the certificate stays as it was: %s", error)

    def _load(self, cert: str, key: str | None) -> None:
        try:
            # Tried on a context of its own: a chain that does not fit its key would stay half loaded.
            ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER).load_cert_chain(cert, key, password=_no_password)
            self.context.load_cert_chain(cert, key, password=_no_password)
        except ssl.SSLError as error:
            files = cert if key is None else f"{cert} and {key}"
            raise ConfigError(
                f"tls_cert: {files} are no certificate with its key, in PEM and without a password "
                f"({error.reason or error})"
            ) from error
        except OSError as error:
            raise ConfigError(
                f"tls_cert: {error.filename or cert} cannot be read: {error.strerror}"
            ) from error


def _no_password() -> str:
    """Nobody is there to type one; without this, OpenSSL would ask on the terminal."""
    return ""
