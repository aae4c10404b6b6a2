"""Signatures, as receivers check them."""

import base64
import time

import pytest
from standardwebhooks import Webhook
from standardwebhooks.webhooks import WebhookVerificationError

from lineage_api.webhooks import signing


def test_a_secret():
    """It is 32 random bytes, written as the Standard Webhooks do."""
    secrets = {signing.new_secret() for _ in range(10)}

    assert len(secrets) == 10
    assert all(secret.startswith("whsec_") for secret in secrets)
    assert {len(base64.b64decode(secret[6:], validate=True)) for secret in secrets} == {32}


def test_a_signature():
    """Receivers verify it with the library of the Standard Webhooks, and notice whatever was changed."""
    secret, now = signing.new_secret(), int(time.time())
    headers = signing.headers(secret, "msg_1_2", now, '{"name": "größe"}'.encode())

    assert Webhook(secret).verify('{"name": "größe"}', headers) == {"name": "größe"}
    for changed in (
        {"webhook-id": "msg_1_3"},
        {"webhook-timestamp": str(now + 1)},
        {"webhook-signature": signing.headers(signing.new_secret(), "msg_1_2", now, b"")["webhook-signature"]},
    ):
        with pytest.raises(WebhookVerificationError):
            Webhook(secret).verify('{"name": "größe"}', {**headers, **changed})
    with pytest.raises(WebhookVerificationError):
        Webhook(secret).verify('{"name": "other"}', headers)
