"""All attacks, by name."""

from tests.attacks import documents, requests, sockets, values
from tests.attacks.attack import Attack

ATTACKS: dict[str, Attack] = {}
"""In the order in which they are sent."""

for _kind in (documents, values, requests, sockets):
    for _attack in _kind.all_of_them():
        if _attack.name in ATTACKS:
            raise ValueError(f"two attacks are called {_attack.name!r}")
        ATTACKS[_attack.name] = _attack
