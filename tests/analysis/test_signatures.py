import datetime as dt
from itertools import product

import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st
from mlflow.exceptions import MlflowException
from mlflow.models.utils import _enforce_param_datatype, _enforce_schema
from mlflow.types import ColSpec, DataType, Schema

from lineage_api.analysis.signatures import Break, verdict
from lineage_api.store.manifests import Signature, SignatureField


def field(told, name=None):
    """A field, such as `long`, `long?` for one that can be left out, `float64 [-1, 3]` for a tensor."""
    kind, _, shape = told.partition(" [")
    lengths = [int(length) for length in shape.rstrip("]").split(", ")] if shape else None
    return SignatureField(name, kind.rstrip("?"), not kind.endswith("?"), lengths)


def fields(told):
    """Those with names, or in their order."""
    return [field(told[n], n) for n in told] if isinstance(told, dict) else [*map(field, told)]


def signature(inputs=(), outputs=(), params=()):
    """What a model takes and gives."""
    return Signature(fields(inputs), fields(outputs), fields(params))


def breaks(base, head):
    """What breaks, a line each."""
    return [str(each) for each in verdict(signature(**base), signature(**head))]


def test_a_signature_that_is_unknown():
    """Then nobody can say."""
    assert verdict(None, signature()) is None
    assert verdict(signature(), None) is None
    assert verdict(None, None) is None


def test_everything_that_can_break():
    """What callers send first, then what they get, then what they set."""
    base = signature({"a": "long", "b": "double", "c": "long?"}, ["double", "string"], {"p": "double?", "q": "long?"})
    head = signature({"b": "long", "c": "long", "d": "string"}, ["string"], {"p": "string?", "r": "long"})
    assert verdict(base, head) == [
        Break("inputs.a", "is gone"),
        Break("inputs.b", "was double and is long"),
        Break("inputs.c", "was optional and is required"),
        Break("inputs.d", "is required and new"),
        Break("outputs.1", "is gone"),
        Break("outputs.0", "was double and is string"),
        Break("params.q", "is gone"),
        Break("params.p", "was double and is string"),
        Break("params.r", "is required and new"),
    ]


@pytest.mark.parametrize("side", ["inputs", "params"])
def test_what_callers_may_leave_out(side):
    """One more that is optional does not break, nor one that became optional."""
    assert breaks({side: {"a": "long"}}, {side: {"a": "long?", "b": "long?"}}) == []


def test_what_callers_get():
    """More of it, or a narrower type, does not break; less, or a wider type, does."""
    assert breaks({"outputs": {"a": "double"}}, {"outputs": {"a": "integer", "b": "string"}}) == []
    assert breaks({"outputs": {"a": "long?"}}, {"outputs": {"a": "long"}}) == []
    assert breaks({"outputs": {"a": "integer"}}, {"outputs": {"a": "double?"}}) == [
        "outputs.a was integer and is double",
        "outputs.a was required and is optional",
    ]


@pytest.mark.parametrize(
    ("base", "head", "fits"),
    [
        ("Array(string)", "Array(string)", True),
        ("Array(integer)", "Array(long)", False),
        ("{a: long (required)}", "{a: long (optional)}", False),
        ("Map(str -> long)", "Any", True),
        ("Any", "string", False),
        ("float64 [-1, 3]", "float64 [-1, 3]", True),
        ("float64 [5, 3]", "float64 [-1, 3]", True),
        ("float64 [-1, 3]", "float64 [5, 3]", False),
        ("float64 [-1, 3]", "float64 [-1, 4]", False),
        ("float64 [-1, 3]", "float64 [-1]", False),
        ("float32 [-1]", "float64 [-1]", False),
        ("float64 [-1]", "float64", False),
        ("double", "double [-1]", False),
    ],
)
def test_types_that_are_no_plain_ones(base, head, fits):
    """Nested types have to be equal, tensors too, but for a length that may be any."""
    assert (breaks({"inputs": [base]}, {"inputs": [head]}) == []) is fits
    assert (breaks({"outputs": [head]}, {"outputs": [base]}) == []) is fits


def test_how_a_shape_is_told():
    """With its type."""
    assert breaks({"inputs": ["float64 [-1, 3]"]}, {"inputs": ["float64 [-1, 4]"]}) == [
        "inputs.0 was float64 [-1, 3] and is float64 [-1, 4]"
    ]


def test_columns_with_and_without_names():
    """A name is not a place."""
    assert breaks({"inputs": {"a": "long"}}, {"inputs": ["long"]}) == [
        "inputs.a is gone",
        "inputs.0 is required and new",
    ]


VALUES = {
    "boolean": np.array([True, False]),
    "integer": np.array([5, 6], dtype="int32"),
    "long": np.array([5, 6], dtype="int64"),
    "float": np.array([1.5, 2.5], dtype="float32"),
    "double": np.array([1.5, 2.5]),
    "string": np.array(["a", "b"], dtype=object),
    "datetime": np.array(["2020-01-01", "2020-01-02"], dtype="datetime64[ns]"),
}


def is_taken(enforce):
    """Whether MLflow takes it."""
    try:
        enforce()
    except MlflowException:
        return False
    return True


# MLflow tries to make a date of whatever text it is given.
PLAIN = [(base, head) for base, head in product(VALUES, VALUES) if (base, head) != ("string", "datetime")]


@pytest.mark.parametrize(("base", "head"), PLAIN)
def test_a_column_is_taken_when_mlflow_takes_it(base, head):
    """Each plain type where another is declared."""
    frame, schema = pd.DataFrame({"a": VALUES[base]}), Schema([ColSpec(head, "a")])
    fits = is_taken(lambda: _enforce_schema(frame, schema))
    assert (breaks({"inputs": {"a": base}}, {"inputs": {"a": head}}) == []) is fits


@pytest.mark.parametrize(("base", "head"), PLAIN)
def test_a_parameter_is_taken_when_mlflow_takes_it(base, head):
    """It is less strict with them."""
    value = dt.datetime(2020, 1, 1) if base == "datetime" else VALUES[base][0]  # noqa: DTZ001
    fits = is_taken(lambda: _enforce_param_datatype(value, DataType[head]))
    assert (breaks({"params": {"a": f"{base}?"}}, {"params": {"a": f"{head}?"}}) == []) is fits


TYPES = st.sampled_from(["boolean", "integer", "long", "float", "double", "string", "Array(long)", "Any"])
SHAPES = st.none() | st.lists(st.integers(-1, 3), max_size=3)
FIELDS = st.lists(
    st.builds(SignatureField, st.none() | st.sampled_from("ab0"), TYPES, st.booleans(), SHAPES), max_size=4
)
SIGNATURES = st.builds(Signature, FIELDS, FIELDS, FIELDS)


@given(SIGNATURES)
def test_a_signature_and_itself(same):
    """Nothing breaks."""
    assert verdict(same, same) == []


@given(SIGNATURES, TYPES, st.booleans())
def test_one_column_more(base, kind, is_required):
    """Callers have to send it when it is required; whatever more they get is no trouble."""
    more = SignatureField("more", kind, is_required, None)
    head = Signature([*base.inputs, more], [*base.outputs, more], base.params)
    assert verdict(base, head) == ([Break("inputs.more", "is required and new")] if is_required else [])
