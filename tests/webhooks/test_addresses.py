"""Where webhooks may be sent to."""

import socket
from ipaddress import ip_address, ip_network
from urllib.parse import urlsplit

import pytest
import yarl
from hypothesis import Phase, given, settings
from hypothesis import strategies as st

from lineage_api.errors import Unsuitable
from lineage_api.webhooks import addresses
from lineage_api.webhooks.addresses import CheckedResolver, InsideError, is_allowed, networks, refusal

INSIDE = [
    "0.0.0.0", "0.1.2.3", "10.0.0.1", "100.64.0.1", "100.127.255.255", "127.0.0.1", "127.255.255.254",
    "169.254.169.254", "172.16.0.1", "172.31.255.255", "192.0.0.1", "192.0.0.9", "192.0.0.170", "192.0.2.1",
    "192.88.99.1", "192.168.1.1", "198.18.0.1", "198.19.255.255", "198.51.100.1", "203.0.113.1", "224.0.0.1",
    "239.255.255.255", "240.0.0.1", "255.255.255.255", "::", "::1", "::127.0.0.1", "::8.8.8.8", "::ffff:127.0.0.1",
    "::ffff:7f00:1", "::ffff:10.0.0.1", "::ffff:0:127.0.0.1", "64:ff9b::127.0.0.1", "64:ff9b::10.0.0.1",
    "64:ff9b::a9fe:a9fe", "64:ff9b:1::1", "64:ff9b:1::8.8.8.8", "100::1", "2001::1",
    "2001:0:4136:e378:8000:63bf:3fff:fdd2", "2001:0:7f00:1::", "2001:2::1", "2001:10::1", "2001:20::1", "2001:db8::1",
    "2002:7f00:1::", "2002:a00:1::", "2002:c0a8:101::1", "2002:a9fe:a9fe::", "3fff::1", "4000::1", "5f00::1",
    "fc00::1", "fd00::1", "fdff:ffff::1", "fe80::1", "fe80::1%eth0", "fe80::1%1", "febf::1", "fec0::1", "ff02::1",
    "ff0e::1", "2606:4700:4700::1111%eth0",
]  # fmt: skip
"""Addresses that no stranger's computer has."""

OUTSIDE = [
    "1.1.1.1", "8.8.8.8", "100.63.255.255", "100.128.0.1", "126.255.255.255", "128.0.0.1", "172.15.255.255",
    "172.32.0.1", "192.0.1.1", "192.167.255.255", "198.17.255.255", "198.20.0.1", "223.255.255.254",
    "2606:4700:4700::1111", "2001:4860:4860::8888", "::ffff:8.8.8.8", "64:ff9b::8.8.8.8", "2002:808:808::1",
    "2001:200::1",
]  # fmt: skip
"""Addresses of the internet."""

ODD = [
    "2130706433", "0x7f000001", "0X7F000001", "0x7f.1", "0x7f.0.0.1", "0177.0.0.1", "017700000001", "127.1", "127.0.1",
    "127.0.0.01", "127.0.0.1.", "127.0.0.0x1", "0", "0.", "0x", "1.1.1.1.1", "256.0.0.1", "8.8.8.8.", "8.8",
    "134744072", "[::1", "::1]", "[]", "[::g]", "[1]", "[127.0.0.1]", "[::ffff:127.0.0.256]", "[::1]x", "x[::1]",
    "[::1][::1]", "[v1.a]", "[fe80::1%eth0]", "[fe80::1%25eth0]", "127%2e0%2e0%2e1", "127.0.0.1%00", "%31%32%37.0.0.1",
    "a..b", ".a", ".", "..", "a" * 64, ".".join(["a" * 60] * 5), "a,b", "a b", "a\tb", "a\nb", "a\0b", "127。0。0。1",
    "①②⑦.0.0.1", "\uff11\uff12\uff17.0.0.1", "ⓛocalhost", "bücher.example", "a\\b", "a:0", "a:65536", "a:99999",
    "a:-1", "a:", "a:x", "a:80:80", "a:\u0663", "localhost\\@8.8.8.8", "8.8.8.8\\", "8.8.8.8:0", "*", "a*b", "$x",
    "a&b", "a;b", "!", "'a'", "(a)",
]  # fmt: skip
"""Hosts that some reader or other takes for an address or a name."""


@pytest.mark.parametrize("text", INSIDE)
def test_an_address_inside(text):
    """It is refused, in a URL too, unless its network was allowed."""
    address = ip_address(text)

    assert not is_allowed(address, ())
    assert not is_allowed(address, networks("203.0.114.0/24,2001:db9::/32"))
    if "%" not in text:
        host = f"[{text}]" if ":" in text else text
        assert refusal(f"http://{host}:8080/hook") == f"{address} is inside a private network"
        assert is_allowed(address, [ip_network(text)])
        assert refusal(f"http://{host}:8080/hook", [ip_network(text)]) is None


@pytest.mark.parametrize("text", OUTSIDE)
def test_an_address_of_the_internet(text):
    """It may be sent to."""
    assert is_allowed(ip_address(text), ())
    assert refusal(f"https://{f'[{text}]' if ':' in text else text}/hook") is None


@pytest.mark.parametrize("host", ODD)
def test_an_odd_spelling(host):
    """It is refused, whatever it means and whatever is allowed, in one line."""
    said = refusal(f"http://{host}/hook", networks("0.0.0.0/0,::/0"))

    assert said
    assert "\n" not in said


@pytest.mark.parametrize(
    ("url", "said"),
    [
        ("", "printable ASCII"),
        ("http://", "begins with https://"),
        ("https:///hook", "begins with https://"),
        ("//ci.example/hook", "begins with https://"),
        ("ci.example/hook", "begins with https://"),
        ("ftp://ci.example/hook", "begins with https://"),
        ("file:///etc/passwd", "begins with https://"),
        ("javascript:alert(1)", "begins with https://"),
        ("http+unix://a/b", "begins with https://"),
        ("https:ci.example", "begins with https://"),
        ("https://me@ci.example/hook", "no user name"),
        ("https://me:secret@ci.example/hook", "no user name"),
        ("https://@ci.example/hook", "no user name"),
        ("https://8.8.8.8@127.0.0.1/", "no user name"),
        ("https://ci.example/hook#part", "no fragment"),
        ("https://ci.example/hook#", "no fragment"),
        ("https://ci.example/a b", "printable ASCII"),
        ("https://ci.example/\r\nx: y", "printable ASCII"),
        (" https://ci.example/", "printable ASCII"),
        ("https://ci.example/\x7f", "printable ASCII"),
        ("https://ci.example/ü", "printable ASCII"),
        ("https://ci.example/\\", "printable ASCII"),
        ("https://[::1/", "cannot be read"),
        ("https://ci.example:65536/", "from 1 to 65535"),
        ("https://ci.example:0/", "from 1 to 65535"),
        ("https://2130706433/", "as it is usually written"),
        ("https://ci..example/", "no name"),
        ("https://ci.example/" + "a" * 1_982, "2,000 characters at most; this has 2,001"),
    ],
)
def test_what_is_no_url_for_a_webhook(url, said):
    """It is said what would be right."""
    assert said in refusal(url)


@pytest.mark.parametrize(
    "url",
    [
        "https://ci.example",
        "http://ci.example:8080/hook?job=deploy&x=%20[1]",
        "HTTPS://CI.Example./hook",
        "https://xn--bcher-kva.example/",
        "https://build_1.internal-name/a@b:c",
        "https://4.example.x1/",
        "https://localhost/",
        "https://ci.example/" + "a" * 1_981,
    ],
)
def test_what_is_a_url_for_a_webhook(url):
    """Names are looked up only when something is sent."""
    assert refusal(url) is None


def test_the_setting():
    """Networks with commas between them, or nothing at all."""
    assert networks(" 10.0.0.0/8, 127.0.0.1/32,fd00::/8 ,,192.168.1.1") == tuple(
        map(ip_network, ("10.0.0.0/8", "127.0.0.1/32", "fd00::/8", "192.168.1.1/32"))
    )
    assert networks("") == networks(" , ") == ()


@pytest.mark.parametrize(
    "text", ["10.0.0.1/8", "x", "10.0.0.0/33", "10.0.0.0/8;127.0.0.1", "10.0.0.0/8 127.0.0.1", "10.*"]
)
def test_a_setting_that_is_none(text):
    """The server does not start, and says what would be right."""
    with pytest.raises(Unsuitable, match=r"is no network: .*; write networks like 10\.0\.0\.0/8,127\.0\.0\.1/32\."):
        networks(f"127.0.0.0/8,{text}")


def place(host):
    """A host, however an address in it is written."""
    return ip_address(host) if ":" in host else host


URLS = st.builds(
    "{}://{}{}".format,
    st.sampled_from(["http", "https", "HTTP"]),
    st.text(st.sampled_from("a1.:[]-_0fxn") | st.sampled_from("a1.:@%/\\?#ä\0"), max_size=10),
    st.sampled_from(["", "/", "/a", "?b", ":80/"]),
)


@settings(deadline=None, max_examples=500, phases=[Phase.generate], derandomize=True)
@given(URLS)
def test_whoever_reads_a_url_sees_the_same_host(url):
    """That which was checked is that which aiohttp connects to."""
    if refusal(url, networks("0.0.0.0/0,::/0")) is None:
        assert place(yarl.URL(url).raw_host) == place(urlsplit(url).hostname)


async def resolved(allowed, *found):
    """The addresses that aiohttp is given of those that were found."""
    resolver = CheckedResolver(networks(allowed), lambda host, port: found)
    try:
        results = await resolver.resolve("ci.example", 443)
        assert {(each["hostname"], each["port"], each["flags"] > 0) for each in results} <= {("ci.example", 443, True)}
        return [(each["host"], each["family"].name) for each in results]
    finally:
        await resolver.close()


async def test_only_addresses_that_are_allowed_are_used():
    """In the order in which they were found; where there are none, it is said where the name leads."""
    assert await resolved("", "10.0.0.1", "8.8.8.8", "::1", "2606:4700::1") == [
        ("8.8.8.8", "AF_INET"),
        ("2606:4700::1", "AF_INET6"),
    ]
    assert await resolved("10.0.0.0/8", "10.0.0.1", "127.0.0.1") == [("10.0.0.1", "AF_INET")]
    with pytest.raises(socket.gaierror):
        await resolved("")
    with pytest.raises(InsideError, match=r"ci\.example leads to 10\.0\.0\.1, which is inside a private network"):
        await resolved("", "10.0.0.1", "fe80::1%eth0")


async def test_the_systems_own_names():
    """They are looked up in the same way, odd spellings of addresses too."""
    assert set(addresses.looked_up("localhost", 80)) <= {"127.0.0.1", "::1"}
    assert addresses.looked_up("2130706433", 80) == ["127.0.0.1"]
    resolver = CheckedResolver(())
    for host in ("localhost", "2130706433", "0x7f.1", "127.1"):
        with pytest.raises(InsideError):
            await resolver.resolve(host, 80)
    await resolver.close()
