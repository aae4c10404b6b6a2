"""Requests by HTTP, and changes to all in them that is not the body."""

import json
from collections.abc import Mapping
from dataclasses import dataclass
from random import Random
from typing import Any
from urllib.parse import quote, urlencode

from tests.fuzzing import mutations, oddities

GRAPHQL = "application/graphql-response+json"
JSON = "application/json"


@dataclass
class Request:
    """A request that is about to be sent."""

    method: str
    target: str
    headers: list[tuple[str, str]]
    body: bytes = b""
    is_chunked: bool = False
    is_whole: bool = True
    """Whether the server can tell where it ends, so that it has to be answered."""

    @property
    def raw(self) -> bytes:
        """What is sent, byte for byte."""
        headers, body = list(self.headers), self.body
        if self.is_chunked:
            headers.append(("transfer-encoding", "chunked"))
            body = b"".join(b"%x\r\n%b\r\n" % (len(part), part) for part in _parts(body)) + b"0\r\n\r\n"
        elif (self.method not in ("GET", "HEAD") or body) and self.is_whole:
            headers.append(("content-length", str(len(body))))
        lines = [f"{self.method} {self.target} HTTP/1.1", *(f"{name}: {value}" for name, value in headers)]
        return "\r\n".join(lines).encode("utf-8", "surrogatepass") + b"\r\n\r\n" + body


def _parts(body: bytes, size: int = 97) -> list[bytes]:
    return [body[place : place + size] for place in range(0, min(len(body), 50 * size), size)] + (
        [body[50 * size :]] if len(body) > 50 * size else []
    )


def posted(body: bytes, caller: str, accept: str) -> Request:
    """A request as a good client posts it."""
    return Request("POST", "/graphql", [*_headers(caller, accept), ("content-type", JSON)], body)


def gotten(payload: Mapping[str, Any], caller: str, accept: str) -> Request:
    """The same by GET."""
    plain = {
        key: part if isinstance(part, str) else json.dumps(part) for key, part in payload.items() if part is not None
    }
    asked = urlencode(plain, errors="surrogatepass")
    return Request("GET", f"/graphql?{asked}"[:60_000], _headers(caller, accept))


def _headers(caller: str, accept: str) -> list[tuple[str, str]]:
    return [("host", "localhost"), ("authorization", caller), ("accept", accept)]


_METHODS = [
    "GET",
    "HEAD",
    "PUT",
    "PATCH",
    "DELETE",
    "OPTIONS",
    "TRACE",
    "QUERY",
    "post",
    "FOO",
    "PROPFIND",
    "A" * 300,
    "P OST",
]
_PATHS = [
    "/", "/graphql/", "//graphql", "/GRAPHQL", "/graphql/../graphql", "/graphql%00", "/%ff", "/graphql?",
    "/graphql?query=",
    "/graphql?query={__typename}", "/graphql?query={__typename}&query={a", "/graphql?variables={}&query={__typename}",
    "/graphql?query=%ff%fe", "/graphql?query=%7B__typename%7D&variables=%00",
    "/graphql?query={__typename}&variables=[" * 1,
    "/graphql?query={__typename}&variables=" + "[" * 3000, "/graphql?query=subscription{registryEvents{id}}",
    "/graphql?query=mutation{__typename}", "/graphql?query={__typename}&extensions=1", "/graphql?a[]=1&&&=;%",
    "/healthz",
    "/readyz", "/static/", "/static/../../etc/passwd", "/static/%2e%2e/%2e%2e/etc/passwd", "/static/..%5c..%5cx",
    "/static/%00",
    "/static//etc/passwd", "/static/" + "a" * 3000, "/favicon.ico", "/.env", "*", "http://localhost/graphql", "graphql",
    "http://evil.example/graphql", "/graphql#a", "/graphql;a=b", "/" + "a/" * 2000, "/graphql?" + "a=b&" * 5000,
    "/\u00e9", "?",
]  # fmt: skip
_HEADERS: dict[str, list[str]] = {
    "content-type": [
        "", "text/plain", "application/graphql", "application/x-www-form-urlencoded", "multipart/form-data; boundary=x",
        "application/json; charset=utf-8", "application/json; charset=latin-1", "application/json; charset=utf-16",
        "application/json; charset=nonsense", "application/json;;", "APPLICATION/JSON",
        "application/json, text/plain", "*/*",
    ],
    "accept": [
        "", "*/*", "text/html", "text/event-stream", "application/json", "application/*;q=0.1, text/*", ";q=",
        "a/b;q=1e9",
        "application/json;q=x", f"{GRAPHQL};q=0, {JSON}", "text/html;q=0.1, application/json", "/" * 500, "a," * 3000,
        "\u00e9",
        "text/event-stream, application/json;q=0.5", "application/xml", "image/png", "application/json;q=9.9.9",
    ],
    "content-encoding": ["gzip", "br", "identity", "identity, identity", "zstd", "x" * 100, ""],
    "accept-encoding": ["gzip", "zstd", "br", "*", "identity;q=0", "gzip;q=x", "*;q=0", "gzip, zstd;q=0.9", ",",
    ";q=1", "\u00e9"],
    "host": ["", "evil.example", "localhost:99999", "[::1", "[::1]", "127.0.0.1", "localhost.", "LOCALHOST",
    "a@localhost", "\u00e9"],
    "origin": ["null", "http://evil.example", "http://localhost", "", "nonsense", "http://[", "https://localhost:x",
    "file://"],
    "sec-fetch-site": ["cross-site", "same-origin", "none", "same-site", "nonsense", ""],
    "authorization": ["Bearer x", "Basic eDp5", "Bearer", "", "Bearer " + "a" * 9000, "Bearer \u00e9", "Digest"],
    "last-event-id": ["", "x", "\u00e9", "W10", "a" * 5000, "-1", "9" * 5000],
    "cookie": ["a=b", "a" * 9000, ";;;"],
    "expect": ["100-continue", "nonsense"],
    "connection": ["close", "keep-alive", "Upgrade", "x"],
    "upgrade": ["h2c", "websocket", "nonsense"],
    "x-forwarded-for": ["127.0.0.1", "nonsense"],
    "x-forwarded-host": ["evil.example"],
    "x-http-method-override": ["DELETE"],
    "range": ["bytes=0-1", "bytes=-", "nonsense", "bytes=" + "0-0," * 500],
    "if-none-match": ["*", '"x"', "W/"],
    "if-modified-since": ["nonsense", "Thu, 01 Jan 1970 00:00:00 GMT"],
    "access-control-request-method": ["POST", "\u00e9"],
    "a" * 300: ["b" * 300],
    "x-\u00e9": ["\u00e9"],
}  # fmt: skip
_ENDS = ["content-length: -1", "content-length: 99999999999", "content-length: 9" + "9" * 30, "content-length: 5",
         "transfer-encoding: chunked", "transfer-encoding: gzip", "transfer-encoding: chunked, identity",
         "content-length: 1\r\ncontent-length: 2", "no colon", " folded", ": nameless", "content-length: +3",
         "content-length:"]  # fmt: skip


def changed(chance: Random, request: Request) -> None:
    """Changes the head of a request in one or a few places."""
    for _ in range(chance.choice([1, 1, 2, 3])):
        match chance.randrange(12):
            case 0:
                request.method = chance.choice(_METHODS)
            case 1:
                request.target = chance.choice(_PATHS)
            case 2:
                place = chance.randrange(len(request.target) + 1)
                odd = quote(oddities.text(chance)[:200], errors="surrogatepass")
                request.target = request.target[:place] + odd + request.target[place:]
            case 3 if request.headers:
                del request.headers[chance.randrange(len(request.headers))]
            case 4:
                request.is_chunked = request.is_whole
            case 5:
                name, _, value = chance.choice(_ENDS).partition(": ")
                request.headers.append((name, value))
                request.is_whole = request.is_chunked = False
            case 6 if request.headers:
                request.headers.append(chance.choice(request.headers))
            case _:
                _set_header(chance, request)


def _set_header(chance: Random, request: Request) -> None:
    name = chance.choice(list(_HEADERS))
    value = chance.choice(_HEADERS[name])
    others = [header for header in request.headers if header[0] != name or chance.random() < 0.1]
    request.headers = [*others, (name, value)]


def scrambled(chance: Random, request: Request) -> bytes:
    """The bytes of a request, of which any may be changed."""
    request.is_whole = False
    return mutations.raw(chance, request.raw)
