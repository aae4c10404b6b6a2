"""MLflow's own stores, whose calls join a transaction of ours.

By themselves they open a session for each call, and commit it. While one of ours is joined, they are given that
instead, and leave it open.
"""

from collections.abc import Iterator
from contextlib import AbstractContextManager, contextmanager
from contextvars import ContextVar
from typing import Any

from mlflow.store.model_registry.sqlalchemy_store import SqlAlchemyStore as RegistryStore
from mlflow.store.tracking.sqlalchemy_store import SqlAlchemyStore as TrackingStore
from sqlalchemy.orm import Session

_joined: ContextVar["JoinedSession | None"] = ContextVar("joined", default=None)


class LostRaceError(Exception):
    """MLflow gave up what it was doing because somebody else was faster; the whole change is to be tried again."""


class JoinedSession(Session):
    """A session that can be lent to MLflow's stores: what they would commit stays open."""

    is_lent = False

    def commit(self) -> None:
        """Ends the transaction, or a part of it where it is lent."""
        if self.is_lent:
            self.flush()
        else:
            super().commit()

    def rollback(self) -> None:
        """Undoes the transaction; where it is lent, that would undo more than the borrower knows of."""
        if self.is_lent:
            raise LostRaceError
        super().rollback()

    @contextmanager
    def lent(self) -> Iterator[None]:
        """MLflow's stores join this session meanwhile."""
        token = _joined.set(self)
        self.is_lent = True
        try:
            yield
            self.flush()
        finally:
            self.is_lent = False
            _joined.reset(token)


def _joining(own: Any) -> Any:
    """The maker of sessions of a store, which gives the one that is joined where there is one."""

    @contextmanager
    def managed(read_only: bool = True) -> Iterator[Session]:
        joined = _joined.get()
        if joined is not None:
            yield joined
            joined.flush()
            return
        session: AbstractContextManager[Session] = own(read_only=read_only)
        with session as opened:
            yield opened

    return managed


class JoinedRegistry(RegistryStore):  # type: ignore[misc] # MLflow has no types
    """The store of registered models; `prepared` must have let its database pass, or MLflow would migrate it."""

    def __init__(self, uri: str) -> None:
        super().__init__(uri)
        self.ManagedSessionMaker: Any = _joining(self.ManagedSessionMaker)


class JoinedTracking(TrackingStore):  # type: ignore[misc]
    """The store of experiments, runs and logged models; as above."""

    def __init__(self, uri: str) -> None:
        # A root of artifacts is asked for, and used only for experiments that are made new.
        super().__init__(uri, "mlflow-artifacts:/")
        self.ManagedSessionMaker: Any = _joining(self.ManagedSessionMaker)
