"""Connections on which something is written, or looked after."""

import pytest
from sqlalchemy import text
from sqlalchemy.exc import OperationalError

from lineage_api.store.engines import changing, reading, writing


@pytest.mark.parametrize("made", [reading, writing, lambda uri: changing(uri, 1, 100)], ids=["read", "write", "change"])
def test_a_file_that_is_not_there_is_not_made(tmp_path, made):
    """It may have been moved away for a while; one that is there is opened, whatever its name is."""
    path = tmp_path / "100% #1.db"
    engine = made(f"sqlite:///{path}")

    with pytest.raises(OperationalError, match="unable to open"), engine.begin():
        pass
    assert not path.exists()

    path.touch()
    with engine.begin() as connection:
        assert connection.scalar(text("SELECT 1")) == 1
