"""What MLflow writes, and what it means."""

from lineage_api.store import convert


def test_a_document_that_is_nested_too_deeply() -> None:
    """It could not be written into an answer, so it stays the text that it is."""
    assert convert.document("[" * 201 + "]" * 201) == "[" * 201 + "]" * 201
    assert convert.document('{"a":' * 201 + "1" + "}" * 201) == '{"a":' * 201 + "1" + "}" * 201
    assert isinstance(convert.document("[" * 200 + "]" * 200), list)


def test_a_document_that_is_wide() -> None:
    """Breadth is no depth."""
    assert convert.document(f"[{','.join(['[]'] * 500)}]") == [[]] * 500
