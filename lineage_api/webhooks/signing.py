"""Secrets of webhooks, and signatures by which receivers know who sent a message, as in the Standard Webhooks."""

import base64
import hashlib
import hmac
import secrets

_PREFIX = "whsec_"
_BYTES = 32


def new_secret() -> str:
    """A secret as it is shown once, to be given to the receiver."""
    return _PREFIX + base64.b64encode(secrets.token_bytes(_BYTES)).decode()


def headers(secret: str, message_id: str, sent_at_s: int, body: bytes) -> dict[str, str]:
    """The headers of a message that is sent at a moment, in seconds since 1970."""
    key = base64.b64decode(secret.removeprefix(_PREFIX))
    digest = hmac.new(key, f"{message_id}.{sent_at_s}.".encode() + body, hashlib.sha256).digest()
    signature = f"v1,{base64.b64encode(digest).decode()}"
    return {"webhook-id": message_id, "webhook-timestamp": str(sent_at_s), "webhook-signature": signature}
