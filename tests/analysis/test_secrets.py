import time

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from lineage_api.analysis.secrets import holds_secret, is_secret_name, looks_secret, without_credentials

SECRET = """
    password passwd PGPASSWORD dbPassword db_pass pass pwd passphrase secret client_secret secretKey token
    HF_TOKEN hf_token api.token auth_token access-token use_auth_token api_key apikey apiKey OPENAI_API_KEY access_key
    aws_access_key_id AWSAccessKeyId private_key ssh/key account_key credential credentials auth oauth github_pat
    authorization connection_string AZURE_STORAGE_CONNECTION_STRING connStr cookie bearer
"""
HARMLESS = """
    max_tokens tokens tokenizer tokenizer_name token_count n_tokens pad_token pad_token_id eos_token cls_token
    token_type_ids token_dropout max_new_tokens author authority auth_type auth_url key keys primary_key keyboard
    num_key_value_heads first_pass n_passes compass password_length secretary monkey learning_rate signature
"""


@pytest.mark.parametrize("name", SECRET.split())
def test_names_of_secrets(name):
    """However their words are put together; unless the value says that there is none."""
    assert is_secret_name(name)
    assert looks_secret(name, "x")
    assert not any(looks_secret(name, value) for value in ("", "None", "true", "False "))


@pytest.mark.parametrize("name", HARMLESS.split())
def test_names_of_other_things(name):
    """They share words with secrets, and are none."""
    assert not is_secret_name(name)
    assert not looks_secret(name, "0.1")


VALUES = [
    "AKIAIOSFODNN7EXAMPLE",
    "ghp_16C7e42F292c6912E7710c838347Ae178B4a",
    "github_pat_11ABCDEFG0abcdefghijkl_mnop",
    "glpat-abcdefghij_1234567890",
    "xoxb-123456789012-abcdef",
    "sk-proj-abcdef1234567890abcdef",
    "sk_live_abcdef1234567890",
    "hf_abcdefghijklmnopqrstuvwxyz",
    "dapi0123456789abcdef0123456789abcdef",
    "AIzaSyA1234567890abcdefghijklmnopqrstuv",
    "eyJhbGciOiJIUzI1NiJ9.eyJzdWIiOiIxIn0.abc-def_ghi",
    "-----BEGIN RSA PRIVATE KEY-----",
    "Bearer abcdefghijklmnop1234",
    "postgresql://ann:pw@host/db",
    "--user ann --password=pw",
    '{"model": "m", "api_key": "abc"}',
    "AccountName=a;AccountKey=abc==;EndpointSuffix=x",
    "host=h user=ann password=pw",
]


@pytest.mark.parametrize("value", VALUES)
def test_values_that_are_secrets(value):
    """Whatever they are called, and whatever stands around them."""
    assert holds_secret(value)
    assert looks_secret("note", f"[1, {value}]")


@pytest.mark.parametrize(
    "value",
    [
        *("0.1", "sk-learn-pipeline-of-two-steps", "azure-keyvault-secrets==4.7", "tokenizers>=0.19", "[PAD]", "eyJ"),
        *("https://host:8080/x.git@v1", "git@github.com:org/repo.git", "s3://bucket/key?versionId=1", "a" * 40),
        *('{"max_tokens": 5, "password": null}', "ssh://git@host/x", "risk-0123456789abcdef", "https://[::1]:80/x@v"),
    ],
)
def test_values_that_are_none(value):
    """They look a little like secrets."""
    assert not holds_secret(value)
    assert without_credentials(value) == value


@pytest.mark.parametrize(
    ("url", "left"),
    [
        ("https://ann:pw@host/x?a=1#b", "https://host/x?a=1#b"),
        ("https://ghp_abc@github.com/org/repo.git", "https://github.com/org/repo.git"),
        ("https://a:p@ss@host/x", "https://host/x"),
        ("https://a:p/a?s#s@host/x", "https://host/x"),
        ("https://a%3Apw@host/x", "https://host/x"),
        ("git+https://a:pw@host/x.git@v1", "git+https://host/x.git@v1"),
        ("x @ git+https://a:pw@host/x.git ; python_version < '3'", "x @ git+https://host/x.git ; python_version < '3'"),
        ("ssh://git:pw@host/x", "ssh://git@host/x"),
        ("postgresql+psycopg://ann:pw@host/db", "postgresql+psycopg://ann@host/db"),
        ("redis://:pw@host", "redis://host"),
        ("https://a:b@c https://d:e@f", "https://c https://f"),
        ("https://b/x?X-Amz-Date=1&X-Amz-Credential=c&X-Amz-Security-Token=t&X-Amz-Signature=s", "https://b/x?X-Amz-Date=1"),
        ("https://b/x?sv=1&sig=s&se=2", "https://b/x?sv=1&se=2"),
        ("https://b/x?AWSAccessKeyId=i&Signature=s", "https://b/x"),
        ("data.csv?%73ig=s&api_key=k&token=t#access_token=u", "data.csv"),
    ],
)  # fmt: skip
def test_what_is_left_of_urls(url, left):
    """All but what lets people in."""
    assert without_credentials(url) == left
    assert holds_secret(url)


PIECES = st.sampled_from([*"aA1:/@?&=#. %+-", "://", "https://", "ssh://git@", "sig=s", "token=t", "user:pw@", "%40"])


@example("https://user:pw@:ssh://git@")
@given(st.lists(PIECES, max_size=30).map("".join))
@settings(deadline=None, max_examples=100, database=None)
def test_nothing_is_left_to_take_away(text):
    """What has been cleaned is clean."""
    cleaned = without_credentials(text)
    assert without_credentials(cleaned) == cleaned


@pytest.mark.parametrize(
    "part",
    ["a", "a:", "://", "?", "x=", "https://a:", "sk-", "?a&", "eyJaaaaa.", "ghp_", "Bearer ", " ", "-----BEGIN "],
)
def test_long_texts(part):
    """They take no time that anybody could use against us."""
    start = time.monotonic()
    holds_secret(part * (40_000 // len(part)))
    assert time.monotonic() - start < 2
