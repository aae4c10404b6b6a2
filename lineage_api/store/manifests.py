"""What the small files beside a model say of it: MLmodel, requirements.txt, conda.yaml, python_env.yaml.

They come from whoever logged the model, so nothing in them is trusted: of a damaged file that is left out which can't
be read.
"""

import json
import posixpath
import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from itertools import islice
from typing import Any

import yaml
from packaging.requirements import InvalidRequirement, Requirement
from packaging.utils import (
    InvalidSdistFilename,
    InvalidWheelFilename,
    canonicalize_name,
    parse_sdist_filename,
    parse_wheel_filename,
)

_MOST_PACKAGES = 2000
_MOST_CHARACTERS = 1000
_MOST_PARTS = 100
_ENVIRONMENT = ("requirements.txt", "conda.yaml", "python_env.yaml")
NAMES = ("MLmodel", *_ENVIRONMENT)
"""The files that are read."""
_PARTS = ("data", "model_data", "model_path", "model_binary", "pickled_model", "python_model", "code")
"""The words of MLflow's flavors for a file or folder without which a model can't be loaded."""
_SIDES = ("inputs", "outputs", "params")
_NOTHING = {"", "~", "null"}
"""How YAML writes that there is nothing."""

_Loader = getattr(yaml, "CBaseLoader", yaml.BaseLoader)
"""It makes texts of all values: 3.10 stays a version, and there is nothing that a file could have us build."""


@dataclass(frozen=True, slots=True)
class SignatureField:
    """A column, tensor or parameter of a model's signature."""

    name: str | None
    type: str
    """As MLflow writes it: `double`, `Array(string)`, `{a: long (required)}`; of a tensor its dtype."""
    is_required: bool
    shape: list[int] | None
    """Of a tensor, or of a parameter that is a list; -1 is any length."""


@dataclass(frozen=True, slots=True)
class Signature:
    """What a model takes and gives."""

    inputs: list[SignatureField]
    outputs: list[SignatureField]
    params: list[SignatureField]


@dataclass(frozen=True, slots=True)
class Package:
    """A package that a model needs."""

    name: str
    """Normalised as in PEP 503."""
    version: str | None
    """The only version that will do; None when there may be several."""
    requirement: str
    """As it was written."""


@dataclass(frozen=True, slots=True)
class Environment:
    """What has to be installed for a model."""

    python_version: str | None
    packages: list[Package]


@dataclass(frozen=True, slots=True)
class Manifest:
    """What the files of a model say of it."""

    size_bytes: int | None
    """Of all its files, but for MLmodel and those of the environment."""
    flavors: list[str]
    signature: Signature | None
    environment: Environment | None
    mlflow_version: str | None
    run_id: str | None
    model_id: str | None


def manifest_of(mlmodel: dict[str, Any], flavors: dict[str, Any], files: dict[str, bytes]) -> Manifest:
    """What MLmodel and the files beside it say."""
    size = _filled(mlmodel.get("model_size_bytes")) or ""
    return Manifest(
        size_bytes=int(size) if re.fullmatch(r"[0-9]{1,18}", size) else None,
        flavors=sorted(flavors),
        signature=_signature(_mapping(mlmodel.get("signature"))),
        environment=_environment(_mapping(flavors.get("python_function")), files),
        mlflow_version=_filled(mlmodel.get("mlflow_version")),
        run_id=_filled(mlmodel.get("run_id")),
        model_id=_filled(mlmodel.get("model_id")),
    )


def _yaml(data: bytes | None) -> dict[str, Any]:
    """What a file in YAML holds; nothing when it is damaged."""
    try:
        return _mapping(yaml.load(data or b"", _Loader))  # noqa: S506 (it makes texts, lists and mappings only)
    except (yaml.YAMLError, RecursionError):
        return {}


def _mapping(value: Any) -> dict[str, Any]:
    """A mapping whose keys are texts; empty when it is none."""
    return {key: each for key, each in value.items() if isinstance(key, str)} if isinstance(value, dict) else {}


def mlmodel_of(files: dict[str, bytes]) -> dict[str, Any]:
    """What MLmodel holds; nothing when it is not there, or damaged."""
    return _yaml(files.get("MLmodel"))


def flavors_of(mlmodel: dict[str, Any]) -> dict[str, Any]:
    """The flavors that MLmodel names, and what it says of each."""
    return _mapping(mlmodel.get("flavors"))


def _list(value: Any) -> list[Any]:
    """A list; empty when it is none."""
    return value if isinstance(value, list) else []


def _filled(value: Any) -> str | None:
    """A text that says something."""
    return value if isinstance(value, str) and value not in _NOTHING else None


# The files that MLmodel names


def parts_of(flavors: dict[str, Any]) -> list[str]:
    """The files and folders that make up the model, by path below its own, each once."""
    named = [flavor.get(key) for flavor in map(_mapping, flavors.values()) for key in _PARTS]
    function = _mapping(flavors.get("python_function"))
    named += [_mapping(artifact).get("path") for artifact in _mapping(function.get("artifacts")).values()]
    if code := _filled(function.get("model_code_path")):
        # MLflow writes where it was when the model was logged, and keeps it beside MLmodel.
        named.append(posixpath.basename(code.replace("\\", "/")))
    paths = dict.fromkeys(posixpath.normpath(path) for path in map(_filled, named) if path)
    return [path for path in islice(paths, _MOST_PARTS) if path != "."]


def declared(flavors: dict[str, Any]) -> list[str]:
    """The files of the environment that MLmodel names; older versions of MLflow named one."""
    environment = _mapping(flavors.get("python_function")).get("env")
    named = [environment] if isinstance(environment, str) else _mapping(environment).values()
    return [name for name in named if name in _ENVIRONMENT]


def unread(flavors: dict[str, Any], files: dict[str, bytes]) -> list[str]:
    """The files of the environment that should be there and are not, or make no sense."""
    needed = {*declared(flavors), *files}
    if "-r requirements.txt" in _list(_yaml(files.get("python_env.yaml")).get("dependencies")):
        needed.add("requirements.txt")
    expected = [name for name in _ENVIRONMENT if name in needed] or _ENVIRONMENT
    return [name for name in expected if not _makes_sense(name, files.get(name))]


def _makes_sense(name: str, data: bytes | None) -> bool:
    """Whether a file of the environment can be understood."""
    return _required(data) is not None if name == "requirements.txt" else bool(_yaml(data))


# The signature: JSON texts in YAML


def _signature(texts: dict[str, Any]) -> Signature | None:
    """The signature; None when there is none, or when it can't be read."""
    if not texts:
        return None
    try:
        fields = [[_field(spec) for spec in json.loads(_filled(texts.get(k)) or "[]")] for k in _SIDES]
        return Signature(*fields)
    except (ValueError, TypeError, KeyError, AttributeError, RecursionError):
        return None


def _field(spec: dict[str, Any]) -> SignatureField:
    """A column, a tensor or a parameter; those with a default can be left out."""
    name = None if spec.get("name") is None else str(spec["name"])
    if tensor := spec.get("tensor-spec"):
        return SignatureField(name, str(tensor["dtype"]), True, [int(length) for length in tensor["shape"]])
    is_required = "default" not in spec and bool(spec.get("required", not spec.get("optional", False)))
    shape = spec.get("shape")
    return SignatureField(name, _type(spec), is_required, shape and [int(length) for length in shape])


def _type(spec: dict[str, Any]) -> str:
    """A type as MLflow's own classes show it, which would have to be imported."""
    match spec:
        case {"type": "array", "items": items}:
            return f"Array({_type(items)})"
        case {"type": "map", "values": values}:
            return f"Map(str -> {_type(values)})"
        case {"type": "object", "properties": properties}:
            return "{" + ", ".join(_property(name, properties[name]) for name in sorted(properties)) + "}"
        case {"type": "sparkml_vector"}:
            return "SparkML vector"
        case {"type": "any"}:
            return "Any"
        case {"type": str(name)} | {"dtype": str(name)}:
            return name
        case _:
            raise ValueError("it is no type of MLflow's")


def _property(name: str, spec: dict[str, Any]) -> str:
    """A property of an object."""
    return f"{name}: {_type(spec)} ({'required' if spec.get('required', True) else 'optional'})"


# The environment


def _environment(function: dict[str, Any], files: dict[str, bytes]) -> Environment | None:
    """What has to be installed; None when nothing says so."""
    conda = _list(_yaml(files.get("conda.yaml")).get("dependencies"))
    python = (
        _filled(_yaml(files.get("python_env.yaml")).get("python"))
        or next(filter(None, map(_conda_python, conda)), None)
        or _filled(function.get("python_version"))
    )
    required = _required(files.get("requirements.txt"))
    packages = [*islice(_conda_packages(conda) if required is None else required, _MOST_PACKAGES)]
    return Environment(python, packages) if python or packages else None


def _required(data: bytes | None) -> Iterator[Package] | None:
    """The packages in requirements.txt; None when it is not there, or no text."""
    try:
        text = None if data is None else data.decode("utf-8-sig")
    except UnicodeDecodeError:
        return None
    return None if text is None else _packages(text.replace("\\\r\n", "").replace("\\\n", "").splitlines())


def _packages(lines: Iterable[Any]) -> Iterator[Package]:
    """The packages in lines as pip reads them."""
    for line in lines:
        if isinstance(line, str) and len(line) <= _MOST_CHARACTERS:
            requirement = re.sub(r"(^|\s)(#|--hash|--config-settings|--global-option).*", "", line).strip()
            if package := _package(requirement):
                yield package


def _package(requirement: str) -> Package | None:
    """What one line of pip asks for; None when it is an option, or names nothing."""
    wanted = re.sub(r"^(-e|--editable)[\s=]\s*", "", requirement)
    try:
        parsed = Requirement(wanted)
    except InvalidRequirement:
        name, version = ("", None) if wanted.startswith("-") else _named_by_place(wanted)
        return Package(canonicalize_name(name), version, requirement) if name else None
    pins = [each.version for each in parsed.specifier if each.operator in {"==", "==="}]
    exact = next((pin for pin in pins if not pin.endswith(".*")), None)
    return Package(canonicalize_name(parsed.name), exact, requirement)


def _named_by_place(wanted: str) -> tuple[str, str | None]:
    """The name and version that a URL or path tells; an empty name when it tells none."""
    if egg := re.search(r"[#&]egg=([A-Za-z0-9][\w.-]*)", wanted):
        return egg[1], None
    path = re.split("[@#?]", re.sub(r"^[\w+.-]+://[^/]*", "", wanted))[0]
    file = path.rstrip("/").rpartition("/")[2].removesuffix(".git")
    try:
        name, version = parse_wheel_filename(file)[:2] if file.endswith(".whl") else parse_sdist_filename(file)
    except (InvalidWheelFilename, InvalidSdistFilename):
        leading = re.match(r"[A-Za-z0-9][\w.-]*", file)
        return leading[0] if leading else "", None
    return name, str(version)


def _conda_packages(dependencies: list[Any]) -> Iterator[Package]:
    """The packages in conda.yaml: those of conda, and those that it has pip install."""
    for dependency in dependencies:
        if isinstance(dependency, dict):
            yield from _packages(_list(dependency.get("pip")))
        elif (parts := _conda_parts(dependency)) and parts[0] != "python":
            # `=1.2` is any 1.2.…; `==1.2` and `=1.2=<build>` are exact.
            exact = re.fullmatch(r"==\s*([\w.!+]+)|=\s*([\w.!+]+)=\S+", parts[1])
            yield Package(canonicalize_name(parts[0]), exact and (exact[1] or exact[2]), dependency)


def _conda_python(dependency: Any) -> str | None:
    """The version of Python that a dependency of conda names; None when it is another, or leaves it open."""
    name, wanted = _conda_parts(dependency) or ("", "")
    version = re.match(r"==?\s*([0-9.]+)(?=$|=)", wanted)
    return version[1] if name == "python" and version else None


def _conda_parts(dependency: Any) -> tuple[str, str] | None:
    """The name in a dependency of conda, and what is wanted of it."""
    if not isinstance(dependency, str) or len(dependency) > _MOST_CHARACTERS:
        return None
    parts = re.fullmatch(r"(?:[\w./-]+::)?([A-Za-z0-9_][\w.-]*)\s*(.*)", dependency.strip())
    return (parts[1], parts[2]) if parts else None
