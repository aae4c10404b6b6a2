"""Attacks by what HTTP says."""

import zlib
from collections.abc import Iterator
from urllib.parse import quote

from tests.attacks.attack import (
    ANSWERED,
    GONE,
    JSON,
    NOT_VALID,
    TOKEN,
    Attack,
    Right,
    either,
    request,
    right,
)

QUERY = '{"query":"{__typename}"}'
WRONG = right(400, codes="BAD_USER_INPUT")
UNSUPPORTED = right(415, codes="BAD_USER_INPUT")
UNKNOWN = right(401, codes="UNAUTHENTICATED")
NOBODY = either(0, 401, 431, codes="UNAUTHENTICATED")
"""The same, unless it is too long to be read at all."""
FOREIGN = right(403, codes="FORBIDDEN")
TOO_LONG = right(0, 431)
"""A head without an end is cut off; who goes on sending it may not hear why."""
NOT_HTTP = right(400)
"""What is no request by HTTP is answered in plain text."""
WORDLESS = right(400)
"""A request to a host that this is not is answered in plain text."""


def sent(name: str, body: bytes, is_right: Right, **headers: str | None) -> Attack:
    """A body by POST."""
    return Attack(name, request(body, {header.replace("_", "-"): value for header, value in headers.items()}), is_right)


def got(name: str, target: str, is_right: Right, method: str = "GET", **headers: str | None) -> Attack:
    """A request without a body."""
    fields = {header.replace("_", "-"): value for header, value in headers.items()}
    return Attack(name, request(b"", fields, method=method, target=target), is_right)


def bodies() -> Iterator[Attack]:
    """What is no JSON, or no question."""
    for name, body in {
        "empty": b"",
        "a brace": b"{",
        "NaN": b'{"query":NaN}',
        "bad UTF-8": b'{"query":"\xff\xfe"}',
        "overlong UTF-8": b'{"query":"\xc0\xaf"}',
        "half a character": b'{"query":"{__typename}","variables":{"a":"\\ud800"}}',
        "a mark of byte order": b"\xef\xbb\xbf" + QUERY.encode(),
        "UTF-16": QUERY.encode("utf-16"),
        "NUL": b"\0" * 1_000,
        "5,000 lists": b"[" * 5_000 + b"]" * 5_000,
        "500,000 lists that do not end": b"[" * 500_000,
        "100,000 objects that do not end": b'{"a":' * 100_000,
        "null": b"null",
        "a number": b"7",
        "a text": b'"{__typename}"',
        "two objects": QUERY.encode() * 2,
        "a batch": b"[%s]" % QUERY.encode(),
        "a batch of 10,000": b"[%s]" % b",".join([QUERY.encode()] * 10_000),
        "an object of nothing": b"{}",
        "a query that is a list": b'{"query":["{__typename}"]}',
        "a query that is an object": b'{"query":{"a":1}}',
        "variables that are a list": b'{"query":"{__typename}","variables":[1]}',
        "a name that is a number": b'{"query":"{__typename}","operationName":7}',
        "extensions that are a text": b'{"query":"{__typename}","extensions":"a"}',
        "an operation that there is not": b'{"query":"query A{__typename}","operationName":"%s"}' % (b"B" * 50_000),
        "a name with NUL": b'{"query":"query A{__typename}","operationName":"\\u0000"}',
        "a document that is not known": b'{"documentId":"%s"}' % (b"a" * 64),
        "a document of a long ID": b'{"documentId":"%s"}' % (b"a" * 500_000),
        "a document whose ID is a number": b'{"documentId":7}',
        "a document whose ID is a path": b'{"doc_id":"../../etc/passwd"}',
        "a document that Apollo knows": b'{"extensions":{"persistedQuery":{"version":1,"sha256Hash":{"a":1}}}}',
    }.items():
        yield sent(f"a body of {name}", body, WRONG)
    twice = b'{"query":"{nothing}","query":"{__typename}"}'
    yield sent("a body with a name twice", twice, ANSWERED)
    yield sent(
        "a body with 60,000 names",
        b'{"query":"{nothing}",%s}' % b",".join(b'"a%d":1' % n for n in range(60_000)),
        NOT_VALID,
    )


def kinds() -> Iterator[Attack]:
    """What the body is said to be."""
    plain = QUERY.encode()
    form = b"query=" + quote("{__typename}").encode()
    yield sent("text", plain, UNSUPPORTED, content_type="text/plain")
    yield sent("no content type", plain, UNSUPPORTED, content_type=None)
    yield sent("a form", form, UNSUPPORTED, content_type="application/x-www-form-urlencoded")
    parts = b'--x\r\ncontent-disposition: form-data; name="operations"\r\n\r\n%s\r\n--x--\r\n' % plain
    yield sent("a form with files", parts, UNSUPPORTED, content_type="multipart/form-data; boundary=x")
    yield sent("a form with 20,000 files", parts * 7_000, UNSUPPORTED, content_type="multipart/form-data; boundary=x")
    yield sent("GraphQL", b"{__typename}", UNSUPPORTED, content_type="application/graphql")
    yield sent("UTF-16, and said so", QUERY.encode("utf-16"), UNSUPPORTED, content_type=f"{JSON}; charset=utf-16")
    yield sent("UTF-7, and said so", plain, UNSUPPORTED, content_type=f"{JSON}; charset=utf-7")
    yield sent("a long content type", plain, right(200, 415), content_type=JSON + ";a=b" * 10_000)
    bomb = zlib.compressobj(9, wbits=31)
    zeros = b"".join(bomb.compress(bytes(2**20)) for _ in range(50)) + bomb.flush()
    yield sent("a bomb of gzip", zeros, UNSUPPORTED, content_encoding="gzip")
    yield sent("a bomb of deflate", zlib.compress(bytes(2**24)), UNSUPPORTED, content_encoding="deflate")
    yield sent("compressed ten times over", zeros, UNSUPPORTED, content_encoding="gzip, " * 10 + "br")
    yield sent("nothing is accepted", plain, right(406, codes="BAD_USER_INPUT"), accept="text/csv")
    yield sent(
        "20,000 types are accepted",
        plain,
        either(200, 406, codes="BAD_USER_INPUT"),
        accept="a/b;q=0.1," * 5_000 + "*/*",
    )


def lengths() -> Iterator[Attack]:
    """Bodies that are longer or shorter than they should be."""
    plain = QUERY.encode()
    too_long = right(413, codes="BAD_USER_INPUT")
    yield sent("2 MiB", b" " * 2**21, too_long)
    yield Attack("a body that is cut off", request(plain, {"content-length": "5000"}), GONE, leaves=True)
    yield Attack("a head that is cut off", request(plain)[:60], GONE, leaves=True)
    yield sent("a length of less than there is", plain + b"x" * 50, right(200, 400), content_length=str(len(plain)))
    yield sent("a length that is negative", plain, NOT_HTTP, content_length="-1")
    yield sent("a length beyond all", plain, NOT_HTTP, content_length="9" * 30)
    yield sent("a length that is no number", plain, NOT_HTTP, content_length="0x10")
    yield Attack("a length of 10 GB", request(plain, {"content-length": str(10**10)}), GONE, leaves=True)
    chunk = b"10000\r\n" + b" " * 2**16 + b"\r\n"
    chunked = {"content-length": None, "transfer-encoding": "chunked"}
    yield Attack("chunks of 2 MiB", request(chunk * 32 + b"0\r\n\r\n", chunked), too_long)
    yield Attack("chunks that do not end", request(chunk * 3, chunked), GONE, leaves=True)
    ones = b"".join(b"1\r\n%c\r\n" % each for each in b" " * 20_000 + plain) + b"0\r\n\r\n"
    yield Attack("20,000 chunks of a byte", request(ones, chunked), ANSWERED)
    yield Attack("a chunk of a length beyond all", request(b"f" * 20 + b"\r\n", chunked), right(0, 400), leaves=True)
    yield Attack("a chunk of a negative length", request(b"-1\r\n\r\n", chunked), right(0, 400), leaves=True)
    extended = b"18;" + b"a" * 200_000 + b"\r\n" + plain + b"\r\n0\r\n\r\n"
    yield Attack("a chunk that says much", request(extended, chunked), TOO_LONG)
    both = {"transfer-encoding": "chunked"}
    yield Attack("two lengths", request(b"0\r\n\r\n" + plain, both), NOT_HTTP)
    yield Attack("two lengths that differ", request(plain, more=b"content-length: 5\r\n"), NOT_HTTP)


def ways() -> Iterator[Attack]:
    """Methods and addresses."""
    mutation = quote('mutation{createRegisteredModel(input:{name:"a"}){errors{message}}}')
    yield got("a change by GET", f"/graphql?query={mutation}", right(405, codes="BAD_USER_INPUT"))
    yield got("a change by HEAD", f"/graphql?query={mutation}", right(405), "HEAD")
    for method in ("PUT", "PATCH", "DELETE", "OPTIONS", "TRACE", "PROPFIND"):
        yield got(f"the method {method}", "/graphql", right(405, codes="BAD_USER_INPUT"), method)
    yield got("a method that there is not", "/graphql", NOT_HTTP, "ATTACK")
    yield got("a tunnel", "localhost:22", right(400, 404, 405), "CONNECT")
    yield got("another path", "/graphql/../../etc/passwd", right(404))
    yield got("a path of %2e", "/%2e%2e/%2e%2e/etc/passwd", right(404))
    yield got("a path with %00", "/graphql%00", right(404))
    yield got("files of the pages", "/static/../app.py", right(404))
    yield got("another server's address", "http://evil.example/graphql?query={__typename}", right(200, 400))
    yield got(
        "variables in an address that are no JSON",
        "/graphql?query={__typename}&variables={{",
        right(400, codes="BAD_USER_INPUT"),
    )
    yield got("an address with bad UTF-8", "/graphql?query=%ff%fe", right(400, codes="GRAPHQL_PARSE_FAILED"))
    yield got("an address of 1 MiB", "/graphql?query=" + "a" * 2**20, TOO_LONG)
    pairs = "&".join(f"a{n}=b" for n in range(20_000))
    yield got("an address of 20,000 names", f"/graphql?query={{__typename}}&{pairs}", TOO_LONG)
    yield got(
        "a token in the address", f"/graphql?query={{__typename}}&access_token={TOKEN}", UNKNOWN, authorization=None
    )
    stream = "/graphql?query=" + quote("subscription{registryEvents{id}}")
    events = "text/event-stream"
    for last in ("garbage", "W10", "9" * 5_000):
        yield got(
            f"a stream after {last[:10]}", stream, right(200, codes="BAD_USER_INPUT"), accept=events, last_event_id=last
        )
    yield got("a stream for who takes none", stream, right(406, codes="BAD_USER_INPUT"))


def headers() -> Iterator[Attack]:
    """Headers that say who asks, and from where; and those that say too much."""
    plain = QUERY.encode()
    for name, given in {
        "none": None,
        "another one's": "Bearer lineage_of-nobody",
        "a password": "Basic YWRtaW46YWRtaW4=",
        "empty": "Bearer",
        "of 100,000 letters": "Bearer " + "a" * 100_000,
        "not of ASCII": "Bearer lineage_\udcff\udcfe",
    }.items():
        yield sent(f"a token that is {name}", plain, NOBODY, authorization=given)
    twice = f"authorization: Bearer {TOKEN}\r\n".encode()
    yield Attack("two tokens", request(plain, more=twice), UNKNOWN)
    yield sent("a cookie", plain, UNKNOWN, authorization=None, cookie=f"token={TOKEN}")
    for host in ("evil.example", "localhost.evil.example", "10.evil.example", "localhost@evil.example", "", "\udcff"):
        yield sent(f"the host {host!a}", plain, WORDLESS, host=host)
    yield sent("no host", plain, WORDLESS, host=None)
    yield Attack("two hosts", request(plain, more=b"host: evil.example\r\n"), WORDLESS)
    for origin in ("https://evil.example", "null", "http://localhost.evil.example", "http://localhost:80@evil.example"):
        yield sent(f"the origin {origin}", plain, FOREIGN, origin=origin)
    for site in ("cross-site", "same-site", "nonsense"):
        yield sent(f"Sec-Fetch-Site: {site}", plain, FOREIGN, sec_fetch_site=site)
    yield sent(
        "an origin of another host, from here",
        plain,
        FOREIGN,
        origin="http://localhost",
        host="127.0.0.1",
        sec_fetch_site="cross-site",
    )
    yield sent(
        "proxies that nobody knows",
        plain,
        UNKNOWN,
        authorization=None,
        x_forwarded_user="root",
        x_forwarded_for="127.0.0.1",
    )
    flood = b"".join(b"x-%d: %s\r\n" % (n, b"a" * 100) for n in range(10_000))
    yield Attack("10,000 headers", request(plain, more=flood), TOO_LONG)
    yield Attack("a header of 1 MiB", request(plain, more=b"x: " + b"a" * 2**20 + b"\r\n"), TOO_LONG)
    yield Attack("a header with NUL", request(plain, more=b"x: a\0b\r\n"), NOT_HTTP)
    yield Attack("a header that is folded", request(plain, more=b"x: a\r\n b\r\n"), right(200, 400))
    yield Attack("a header without a name", request(plain, more=b": a\r\n"), NOT_HTTP)
    yield Attack("a name with a space", request(plain, more=b"content-length : 5\r\n"), NOT_HTTP)
    yield Attack("no HTTP", b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03" + bytes(200), NOT_HTTP)
    yield Attack("HTTP/2", b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n", right(0, 400), leaves=True)
    yield sent(
        "an upgrade to HTTP/2",
        plain,
        either(200, 400, codes="BAD_USER_INPUT"),
        connection="Upgrade, HTTP2-Settings",
        upgrade="h2c",
        http2_settings="AAMAAABkAARAAAAAAAIAAAAA",
    )
    yield sent("a body that is waited for", plain, ANSWERED, expect="100-continue")


def all_of_them() -> Iterator[Attack]:
    """All of these kinds."""
    for kind in (bodies, kinds, lengths, ways, headers):
        yield from kind()
