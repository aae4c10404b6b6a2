import pytest

from lineage_api.store.uris import masked


@pytest.mark.parametrize(
    ("uri", "shown"),
    [
        ("postgresql://u:p@h/d", "postgresql://u:***@h/d"),
        ("postgresql://u:p@ss/w@h/d", "postgresql://u:***@h/d"),
        ("postgresql://u@h/d?password=p&sslmode=require", "postgresql://u@h/d?password=***&sslmode=require"),
        ("postgresql://h/d?user=u&sslPassword=p", "postgresql://h/d?user=u&sslPassword=***"),
        ("sqlite:////a/b.db", "sqlite:////a/b.db"),
    ],
)
def test_a_uri_is_shown_without_passwords(uri, shown):
    """Wherever in it they stand."""
    assert masked(uri) == shown
