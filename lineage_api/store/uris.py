"""The URIs with which stores are named: which of them name a database that can be served, and how they are shown."""

import os
import re
from pathlib import Path
from urllib.request import url2pathname

from sqlalchemy import URL, make_url
from sqlalchemy.exc import ArgumentError

from lineage_api.errors import Unsuitable

_SUPPORTED = "sqlite:///mlflow.db or postgresql://user@host/database"
_LOCAL_HOSTS = {"", "localhost", "127.0.0.1", "::1"}


def database_url(uri: str) -> URL:
    """The database that a URI names, in the form in which we and MLflow open it."""
    dialect = _dialect(uri)
    if refusal := _refusal(dialect, uri):
        raise Unsuitable(refusal)
    try:
        url = make_url(uri)
    except (ArgumentError, ValueError):
        raise Unsuitable(f"{masked(uri)} is not the URI of a database: write it as {_SUPPORTED}") from None
    if dialect == "sqlite":
        return _sqlite_url(url)
    # Without a driver SQLAlchemy 2.1 and MLflow take psycopg 3, as we do, whichever driver the URI names.
    return url.set(drivername="postgresql")


def recordable_url(uri: str) -> URL:
    """The database that a URI names, where history can be recorded, be it one that is served or not."""
    if _dialect(uri) not in {"mysql", "mariadb"}:
        return database_url(uri)
    try:
        return make_url(uri).set(drivername="mysql+pymysql")
    except (ArgumentError, ValueError):
        raise Unsuitable(f"{masked(uri)} is not the URI of a database: write it as mysql://user@host/db") from None


def _dialect(uri: str) -> str:
    """The scheme of a URI without a driver; empty for a path, be it on a Windows drive."""
    scheme = re.match(r"([a-z][a-z0-9.-]+)(\+[a-z0-9_]+)?:|(databricks)$", uri.lower())
    return scheme[1] or scheme[3] if scheme else ""


def _refusal(dialect: str, uri: str) -> str | None:
    """Why no store of this dialect can be served, and what would be right; None when it can."""
    match dialect:
        case "sqlite" | "postgresql":
            return None
        case "http" | "https":
            return (
                f"{masked(uri)} is a tracking server, and its database is read directly: give the server's"
                f" --backend-store-uri, such as {_SUPPORTED}"
            )
        case "databricks" | "databricks-uc" | "uc":
            return f"{uri} has no database that could be read: give a backend store such as {_SUPPORTED}"
        case "" | "file":
            return _refusal_of_path(Path(url2pathname(re.sub("^file:(//(localhost)?)?", "", uri))), uri)
        case "mysql" | "mssql":
            return f"{dialect} is not supported yet: give a backend store such as {_SUPPORTED}"
        case _:
            return f"{masked(uri)} is not supported: give a backend store such as {_SUPPORTED}"


def _refusal_of_path(path: Path, uri: str) -> str:
    """What would be right in place of a path."""
    if path.is_file():
        return f"{uri} is a file, not the URI of a database: if it is a database of SQLite, write sqlite:///{path}"
    return (
        f"{uri!r} is a folder, and file stores are not supported: move it to a database with"
        f" `mlflow migrate-filestore --source {path} --target sqlite:///mlflow.db`, and give sqlite:///mlflow.db"
    )


def _sqlite_url(url: URL) -> URL:
    """A database of SQLite by the whole path of its file."""
    file = url.database or ":memory:"
    if file.startswith((":memory:", "file:")):
        raise Unsuitable(f"{shown(url)} names no file that others could open too: write it as sqlite:///mlflow.db")
    path = Path(file).absolute()
    if path.is_dir():
        raise Unsuitable(f"{path} is a folder: name a file in it, such as sqlite:///{path}/mlflow.db")
    if not path.parent.is_dir():
        raise Unsuitable(f"the folder {path.parent} of {shown(url)} does not exist: make it, or name another")
    return url.set(drivername="sqlite", database=str(path))


def require_one_database(url: URL, registry_uri: str | None) -> None:
    """The registry is in the same database as the runs: lineage is read by joining them."""
    if not registry_uri:
        return
    try:
        is_same = _place(database_url(registry_uri)) == _place(url)
    except Unsuitable:
        is_same = False
    if not is_same:
        raise Unsuitable(
            f"the registry {masked(registry_uri)} is not in the database of the runs, {shown(url)}: both must be in"
            " one database; give its URI for both, or leave the registry's out"
        )


def _place(url: URL) -> tuple[str, str, int, str]:
    """What two URIs of one database have in common."""
    if url.drivername == "sqlite":
        return url.drivername, "", 0, str(Path(url.database or "").resolve())
    host = str(url.host or url.query.get("host", "")).lower()
    return url.drivername, "" if host in _LOCAL_HOSTS else host, url.port or 5432, url.database or ""


def text(url: URL) -> str:
    """The URI with its password, to connect with."""
    plain = f"{url.drivername}:///{url.database}"
    # MLflow makes the folder of a file from the text as it stands, so `%C3%BC` in place of `ü` would make another.
    return plain if make_url(plain) == url else url.render_as_string(hide_password=False)


def only_read(uri: str) -> str:
    """The URI by which nothing can be written into a database; of SQLite as it is, since its readers see to that."""
    if not uri.startswith("postgresql"):
        return uri
    url = make_url(uri)
    given = url.query.get("options", ())
    # No space, which would be written as `+`, and read as that.
    options = "\t".join([*([given] if isinstance(given, str) else given), "-cdefault_transaction_read_only=on"])
    return url.update_query_dict({"options": options}).render_as_string(hide_password=False)


def shown(url: URL) -> str:
    """The URI without passwords."""
    return masked(text(url))


def masked(uri: str) -> str:
    """The URI as it may be shown: without passwords."""
    hidden = re.sub(r"(://[^:/?#]*):.*@", r"\1:***@", uri)
    return re.sub(r"([?&](?:\w*password|\w*secret|\w*token)=)[^&]*", r"\1***", hidden, flags=re.IGNORECASE)


def file_at(path: str) -> tuple[int, int]:
    """What tells the file of a name from another that has had the same name; raises OSError where there is none."""
    found = os.stat(path)  # noqa: PTH116 - at each question, and Path takes three times as long
    return found.st_dev, found.st_ino


def existing(path: str) -> str:
    """What SQLite takes for the file at a path, which has to be there already."""
    quoted = path.replace("%", "%25").replace("?", "%3f").replace("#", "%23")
    return f"file:{quoted}?mode=rw"
