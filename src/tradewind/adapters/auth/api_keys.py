"""New API keys and refresh tokens, and the check of a secret against its stored fingerprint."""

import base64
import hmac
import secrets

from tradewind.ports.credentials import ApiKey, KeyPair, fingerprint

KEY_ID_PREFIX = "TW"
KEY_ID_RANDOM_CHARACTERS = 18
SECRET_BYTES = 32
MAX_KEY_ID_LENGTH = 64
MAX_SECRET_LENGTH = 256


class RandomSecretSource:
    """Implements `tradewind.ports.credentials.SecretSource` with the operating system's randomness."""

    def new_key_pair(self) -> KeyPair:
        """A new API key: an id in base32 and 256 random bits."""
        text = base64.b32encode(secrets.token_bytes(KEY_ID_RANDOM_CHARACTERS)).decode()
        return KeyPair(KEY_ID_PREFIX + text[:KEY_ID_RANDOM_CHARACTERS], secrets.token_urlsafe(SECRET_BYTES))

    def new_refresh_token(self) -> str:
        """256 random bits as URL-safe text."""
        return secrets.token_urlsafe(SECRET_BYTES)


def opens(key: ApiKey, secret: str) -> bool:
    """Whether the secret is the key's own and the key is good; takes the same time wherever they differ."""
    return hmac.compare_digest(fingerprint(secret), key.secret_sha256) and key.revoked_at_ns is None
