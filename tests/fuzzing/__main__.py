"""Random requests and documents: `python -m tests.fuzzing [bodies|schema|documents|all] --examples N --seed S`.

The store is one that is made for this and removed, or that of an empty database, which is filled and spoiled. What
fails is printed so that it can be sent again; the exit code is 1 when anything did.
"""

import argparse
import sys
from collections import Counter

from tests.fuzzing import bodies, documents, schema
from tests.fuzzing.outcome import Outcome
from tests.fuzzing.target import target

_ASKING = {"bodies": bodies.fuzzed, "schema": schema.fuzzed}
_SHOWN = 80
"""How many lines of the log are shown as they are."""


def main() -> int:
    """The exit code."""
    parser = argparse.ArgumentParser("python -m tests.fuzzing", description=__doc__)
    parser.add_argument("what", nargs="?", choices=[*_ASKING, "documents", "all"], default="all")
    parser.add_argument("--examples", type=int, default=1000, metavar="N")
    parser.add_argument("--seed", type=int, default=0, metavar="S")
    parser.add_argument("--backend-store-uri", metavar="URI", help="an empty database, which is spoiled")
    given = parser.parse_args()
    failed, kind = 0, (given.backend_store_uri or "sqlite").partition(":")[0]
    for what, fuzzed in _ASKING.items():
        if given.what in (what, "all"):
            with target(given.backend_store_uri) as served:
                outcome = fuzzed(served, given.examples, given.seed)
            failed += told(f"{what} seed {given.seed} on {kind}", outcome, served.log.complaints)
    if given.what in ("documents", "all"):
        failed += documents.fuzzed(given.examples, given.seed)
    return 1 if failed else 0


def told(what: str, outcome: Outcome, complaints: list[str]) -> int:
    """Prints what came of it; says how much was wrong."""
    count = sum(outcome.statuses.values())
    print(f"{what}: {count} examples in {outcome.seconds:.1f} s, {count / outcome.seconds:.0f} a second,", end=" ")
    print(f"{outcome.failures.count} failed, {len(complaints)} lines in the log")
    print("  " + ", ".join(f"{kind}: {number}" for kind, number in sorted(outcome.statuses.items())))
    for seconds, number, sent in sorted(outcome.slowest, reverse=True):
        print(f"  example {number} took {seconds:.2f} s: {sent[-400:]!r}")
    for kind, number in outcome.failures.kinds.most_common():
        print(f"  {number} x {kind}")
    for line, number in Counter(line for line in complaints if not line.startswith(" ")).most_common(30):
        print(f"  log, {number} x {line[:300]}")
    print("\n".join(f"  log: {line[:300]}" for line in complaints[:_SHOWN]), flush=True)
    return outcome.failures.count + len(complaints)


if __name__ == "__main__":
    sys.exit(main())
