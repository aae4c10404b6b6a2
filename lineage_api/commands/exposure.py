"""Whether a server may be started as it is: where others reach it, it has to be known who asks."""

from ipaddress import ip_address

from lineage_api.access.token_file import TokenFile
from lineage_api.config import Settings
from lineage_api.errors import Unsuitable

_MAKE = "lineage-api token create NAME --role manager --tokens {}"


def require_safe(settings: Settings) -> None:
    """Refuses to serve everybody unasked, to serve nobody, and to leave tokens unread that are there."""
    there = _has_tokens(settings.tokens)
    if settings.insecure_no_auth:
        if there or settings.trusted_proxies:
            raise Unsuitable("--insecure-no-auth lets everybody do everything: leave it out, or tokens and proxies")
        return
    if settings.trusted_proxies or there:
        return
    if settings.tokens is not None:
        raise Unsuitable(f"there is no token in {settings.tokens} yet; make one by\n  {_MAKE.format(settings.tokens)}")
    if not is_loopback(settings.host):
        raise Unsuitable(
            f"at {settings.host} everybody who reaches this machine could change the registry. Make a token by\n"
            f"  {_MAKE.format('tokens.json')}\nand serve with --tokens tokens.json; or give --insecure-no-auth, where"
            " all who reach it may do everything"
        )


def is_loopback(host: str) -> bool:
    """Whether a server that listens at a host is reached from this machine alone."""
    try:
        return host.lower() == "localhost" or ip_address(host).is_loopback
    except ValueError:
        return False


def _has_tokens(path: str | None) -> bool:
    """Whether there are tokens in a file; raises Unsuitable where there is one that cannot be read."""
    return path is not None and TokenFile(path).exists() and bool(TokenFile(path).read())
