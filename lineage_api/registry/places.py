"""Places: the URIs and paths at which files may lie, and how they are spelled."""

import os
import re
from pathlib import Path
from posixpath import join
from urllib.parse import SplitResult, unquote, urlsplit
from urllib.request import url2pathname

from lineage_api.registry.reasons import Invalid, Refused, require
from lineage_api.registry.texts import storable

MAX_LENGTH = 500
"""That of the columns model_versions.source and model_versions.storage_location."""

_CONTROL = re.compile("[\x00-\x1f\x7f]")
LOCAL = {"", "file"}
OWN = {*LOCAL, "mlflow-artifacts"}
"""Where only the folders of runs and logged models may be registered."""
_BUCKETS = {"s3", "gs", "abfss", "wasbs"}
_CONTAINERS = {"abfss", "wasbs"}
"""In whose addresses a container stands before an `@`."""
_PLACES = {*OWN, *_BUCKETS, "hdfs", "dbfs"}
ALLOWED = (
    "A source begins with runs:, models:, mlflow-artifacts:, s3:, gs:, abfss:, wasbs:, hdfs: or dbfs:, or is an"
    " absolute path in the artifact folder of a run or logged model."
)


def refuse_text(text: str, field: str) -> None:
    """Refuses what no place is written with, however often it is encoded."""
    require(storable(text, field))
    if len(text) > MAX_LENGTH:
        # Looked at before decoding, which takes the square of the length at worst.
        raise Refused(Invalid(f"The place has more than {MAX_LENGTH} characters.", (field,)))
    decoded = unquoted(text)
    checks = (
        (_CONTROL.search(decoded), "The place has a control character; leave it out."),
        (decoded != decoded.strip(), "The place begins or ends with a space; leave it out."),
        ("\\" in decoded, "The place has a backslash; write `/` between folders."),
        (".." in re.split("[/?#;&=]", decoded), "The place has a `..` in it; name the folder itself."),
    )
    require([Invalid(message, (field,)) for is_wrong, message in checks if is_wrong][:1])


def refuse_path(path: str) -> None:
    """Refuses what is no path below a run's artifact folder."""
    refuse_text(path, "artifactPath")
    decoded = unquoted(path)
    if {"", "."} & set(decoded.split("/")) or re.search("[?#]", decoded):
        message = "Write the path from the run's artifact folder to the model's, such as `model` or `models/best`."
        raise Refused(Invalid(message, ("artifactPath",)))


def refuse_place(parts: SplitResult, decoded: str) -> None:
    """Refuses a URI or path of a form that is not allowed anywhere."""
    scheme, host = parts.scheme, unquoted(parts.netloc)
    is_container = scheme in _CONTAINERS and re.fullmatch("[^@:]+@[^@:]+", host)
    is_rooted = bool(host) if scheme in _BUCKETS else parts.path.startswith("/")
    checks = (
        (scheme not in _PLACES, ALLOWED),
        ("@" in host and not is_container, "A source names no user and no password; leave them out."),
        (scheme in OWN and re.search("[?#]", decoded), "A source of this kind has no `?` and no `#`; leave them out."),
        (scheme in LOCAL and host not in {"", scheme and "localhost"}, "A file on another machine cannot be read."),
        (not is_rooted, ALLOWED),
    )
    require([Invalid(message) for is_wrong, message in checks if is_wrong][:1])


def split(uri: str) -> SplitResult:
    """The parts of a URI or path."""
    try:
        return urlsplit(uri)
    except ValueError:
        raise Refused(Invalid(ALLOWED)) from None


def unquoted(text: str) -> str:
    """A text that was percent-encoded any number of times, as it was before."""
    while (once := unquote(text)) != text:
        text = once
    return text


def below(root: str, path: str) -> str:
    """The place of what is below a folder, spelled as MLflow spells it."""
    parts = split(root)
    return parts._replace(path=join(parts.path, path)).geturl() if parts.scheme else join(root, path)


def way(root: str, place: str) -> str | None:
    """The way from a folder to what is in it, empty to the folder itself; None to anything else."""
    (store, *folders), (other, *steps) = _steps(root), _steps(place)
    is_inside = root and store == other and folders == steps[: len(folders)]
    return "/".join(steps[len(folders) :]) if is_inside else None


def _steps(place: str) -> list[str]:
    """The store of a place and the folders on the way to it; on this machine without links."""
    parts = split(place)
    if parts.scheme in LOCAL:
        path = url2pathname(parts.path if parts.scheme else place)
        return ["", *Path(os.path.realpath(path)).parts]
    return [f"{parts.scheme}://{parts.netloc}".lower(), *(unquoted(step) for step in parts.path.split("/") if step)]
