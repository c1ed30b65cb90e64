"""Whether rules or holds are in force, and which: one number to compare for each burst."""


class InForce:
    """Common to the faults and holds of a process, each of which says when its rules change."""

    __slots__ = ("_who", "active", "version")

    def __init__(self) -> None:
        self.active = False
        """The one test that a burst costs while there are none."""
        self.version = 0
        """Another one after each change: what was found out of the rules before may be wrong."""
        self._who: set[object] = set()

    def changed(self, who: object, *, active: bool) -> None:
        """The rules of `who` are others now; `active`: some of them are in force."""
        (self._who.add if active else self._who.discard)(who)
        self.active = bool(self._who)
        self.version += 1
