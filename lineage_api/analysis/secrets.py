"""Secrets: what looks like a password, a token or a key, and is shown to nobody.

This goes by names and by forms, so it may take a harmless value for a secret; it never says what the value was.
"""

import re
from collections.abc import Collection
from itertools import pairwise
from urllib.parse import unquote_plus


def _words(text: str) -> frozenset[str]:
    return frozenset(text.split())


_WORD = re.compile(r"[A-Z]+(?=[A-Z][a-z])|[A-Z]?[a-z]+|[A-Z]+")
_SECRET_WORDS = _words(
    """authorization bearer connectionstring cookie credential credentials creds passcode passphrase passwords
    privatekey pwd secret secrets"""
)
_SECRET_ENDS = ("accesskey", "accesstoken", "apikey", "apitoken", "authtoken", "passwd", "password", "secretkey")
"""How words end that name a secret, as in `PGPASSWORD`."""
_SECRET_KEYS = _words(
    """access account api app auth aws azure client encryption license master openai private secret service shared
    signing ssh storage subscription"""
)
"""Words that make a secret of the key that follows them."""
_SECRET_PASSES = _words("admin db ftp login mail mysql pg postgres proxy redis root smtp user")
"""The same for a pass: other passes are over data."""
_MEASURES = _words(
    """budget count dim dims enabled len length lengths limit max mean min n num number rate ratio size total type
    window"""
)
"""Words that make a number, or a kind, of what they stand beside."""
_OF_TEXTS = _words(
    """additional batch bos classification cls decoder dropout embedding end eos first forced id ids image index last
    level loss mask masking new next pad padding per pooling prob sep special start stop suppress target unk"""
)
"""Words that make a token a piece of text."""
_OF_PROTOCOLS = _words("host mode provider required scheme url uri")
"""Words beside which `auth` says how, and not with what."""
_SECRET_IN_URL = _words("code key sas sig signature")
"""Words that say in the query of a URL that what follows grants access."""
_NO_SECRET = frozenset(("", "none", "null", "true", "false", "yes", "no"))

_NAMES = "pass|pwd|secret|token|key|cred|auth|cookie|bearer|conn|pat"
_SHAPES = (
    r"a[ks]ia[0-9a-z]{12}|gh[opsur]_|github_pat_|gl[a-z]{2,5}-[a-z0-9_-]{16}|xox[a-z]-|sk-[a-z0-9_-]{16}"
    r"|[rs]k_(live|test)_|hf_[a-z0-9]{16}|npm_[a-z0-9]{30}|pypi-[a-z0-9_-]{30}|dapi[0-9a-f]{32}|aiza[a-z0-9_-]{20}"
    r"|eyj[a-z0-9_-]{5,}[.]|private key|(bearer|basic) +[a-z0-9+/_.~-]{16}|://\S*@"
    rf"|[?#&][^?#\s]*(sig|sas|code|{_NAMES})[^=\s]*=|({_NAMES})[\w.-]*[\"']?\s{{0,9}}[=:]"
)
SHAPES = f"(?i)({_SHAPES})"
"""A regular expression, for Python and PostgreSQL alike: it finds something in all that `holds_secret`, and in more."""
MAY_BE_SECRET = f"(?i)(^[^=]*({_NAMES})|{_SHAPES})"
"""The same for a name and a value, `=` between them: it finds something in all that `looks_secret`, and in more."""

_FORMS = re.compile(
    r"(?<![A-Za-z0-9])(?:"
    r"A(?:KIA|SIA)[0-9A-Z]{12,}"
    r"|gh[opsur]_[A-Za-z0-9]{16,}"
    r"|github_pat_[A-Za-z0-9_]{16,}"
    r"|gl[a-z]{2,5}-[A-Za-z0-9_-]{16,}"
    r"|xox[a-z]-[A-Za-z0-9-]{8,}"
    r"|sk-(?=[A-Za-z_-]{0,100}[0-9])[A-Za-z0-9_-]{16,}"
    r"|[rs]k_(?:live|test)_[A-Za-z0-9]{10,}"
    r"|hf_[A-Za-z0-9]{16,}"
    r"|npm_[A-Za-z0-9]{30,}"
    r"|pypi-[A-Za-z0-9_-]{30,}"
    r"|dapi[0-9a-f]{32}"
    r"|AIza[A-Za-z0-9_-]{20,}"
    r"|eyJ[A-Za-z0-9_-]{5,}\.[A-Za-z0-9_-]{5,}\.)"
    r"|-----BEGIN [A-Z0-9 ]{0,40}PRIVATE KEY"
    r"|\b(?:[Bb]earer|[Bb]asic) +[A-Za-z0-9+/_.~-]{16,}"
)
"""Of tokens that say by their beginning what they are; of private keys; of what is sent in HTTP's headers."""
# All lengths below are bounded, or the time that this takes could grow with the square of a text.
_MAY_HOLD = re.compile(r"[=:?#]|[A-Za-z0-9+/_.~-]{12}|PRIVATE KEY")
"""Finds something in all in which the others do, in a tenth of their time."""
_GIVEN = re.compile(r"""(?<![\w.-])([\w.-]{1,100})["']?\s{0,9}[=:](?!=)\s{0,9}["']?([^\s"',;&]{1,100})""")
"""Names that are given a value within a text: in JSON, in options, in a connection string; not in `secrets==1.0`."""
_USER_INFO = re.compile(
    r"(?<![\w+.-])([A-Za-z][\w+.-]{0,50})://"
    # Where the part after a colon is no port, a password has an unquoted character in it: it ends at the last @.
    r"([^/?#\s]{0,2000}(?=@)|[^/?#\s\[\]@:]{0,200}:(?!\d{0,9}(?:[/?#\s]|$))\S{0,500}(?=@))@"
)
_QUERY = re.compile(r"""([?#])([^?#\s"']+)""")


def looks_secret(key: str, value: str) -> bool:
    """Whether a value under this key, such as that of a parameter, looks like a secret, or has one in it."""
    return not _is_nothing(value) and (is_secret_name(key) or holds_secret(value))


def holds_secret(text: str) -> bool:
    """Whether a text has something in it that looks like a secret, whatever it is called."""
    if not _MAY_HOLD.search(text):
        return False
    if _FORMS.search(text) or without_credentials(text) != text:
        return True
    return any(is_secret_name(key) and not _is_nothing(given) for key, given in _GIVEN.findall(text))


def is_secret_name(name: str) -> bool:
    """Whether what is called this should be kept secret: `api_key`, `dbPassword`, but not `max_tokens`."""
    words = [word.lower() for word in _WORD.findall(name)]
    among = {*words}
    if among & _MEASURES:
        return False
    return bool(
        among & _SECRET_WORDS
        or any(word.endswith(_SECRET_ENDS) for word in words)
        or ("token" in among and not among & _OF_TEXTS)
        or (among & {"auth", "oauth", "pat"} and not among & _OF_PROTOCOLS)
        or _has_pair(words, _SECRET_KEYS, ("key", "keys"))
        or _has_pair(words, _SECRET_PASSES, ("pass",))
        or _has_pair(words, ("connection", "conn"), ("string", "str"))
        or words == ["pass"]
    )


_MOST_PASSES = 100


def without_credentials(url: str) -> str:
    """A URL, or a text with URLs in it, without passwords, without users of HTTP and without signatures.

    Users of other protocols stay, as in `ssh://git@host`: they are no secret, and nothing could be reached without.
    """
    for _ in range(_MOST_PASSES):
        cleaned = _QUERY.sub(_without_signatures, _USER_INFO.sub(_without_password, url))
        if cleaned == url:
            break
        # What was taken out may have stood in the middle of another.
        url = cleaned
    return url


def _is_nothing(value: str) -> bool:
    """Whether a value says that there is no secret, or only whether there is one."""
    return value.strip(" }])").lower() in _NO_SECRET


def _has_pair(words: list[str], first: Collection[str], second: Collection[str]) -> bool:
    """Whether a word of the one kind is followed by one of the other."""
    return any(one in first and other in second for one, other in pairwise(words))


def _without_password(found: re.Match[str]) -> str:
    scheme, user = found[1], found[2].partition(":")[0]
    is_web = scheme.lower().rpartition("+")[2] in {"http", "https"}
    return f"{scheme}://" if is_web or not user else f"{scheme}://{user}@"


def _without_signatures(found: re.Match[str]) -> str:
    parts = found[2].split("&")
    kept = [part for part in parts if not _is_signature(part)]
    if len(kept) == len(parts):
        return found[0]
    return found[1] + "&".join(kept) if kept else ""


def _is_signature(part: str) -> bool:
    """Whether a part of a query, such as `sig=abc`, grants access."""
    name, _, value = map(unquote_plus, part.partition("="))
    words = {word.lower() for word in _WORD.findall(name)}
    return not _is_nothing(value) and (is_secret_name(name) or bool(words & _SECRET_IN_URL))
