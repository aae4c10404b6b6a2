"""What can go wrong, as a tree.

* LineageError
  - Unreadable     the request is malformed                      BAD_USER_INPUT
  - NotFound       it names something that is not there          NOT_FOUND
  - TimedOut       something outside did not answer in time      TIMEOUT
  - Unsuitable     the store cannot be served as it is           a line at the start, exit code 2
  - Refused        a change cannot be made (registry.reasons)    the payload's `errors`

All else is a defect: masked as INTERNAL, with the same ID in the answer and in the log.
"""


class LineageError(Exception):
    """Something that a caller can act on; its message says what is wrong and what would be right."""

    code: str
    """What programs know it by: `extensions.code` of a GraphQL error."""


class Unreadable(LineageError):
    """The request is malformed: an argument out of range, a combination that says nothing, a cursor of another list."""

    code = "BAD_USER_INPUT"


class NotFound(LineageError):
    """The question names something that is not there."""

    code = "NOT_FOUND"


class Unsuitable(LineageError):
    """The store cannot be served as it is: another version of MLflow, no SQL database, workspaces in use."""

    code = "UNSUITABLE_STORE"


class TimedOut(LineageError):
    """Something outside this process did not answer in time, such as a locked database."""

    code = "TIMEOUT"
