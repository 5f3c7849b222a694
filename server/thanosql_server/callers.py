"""Who a statement belongs to: the name and the role that its caller has proven."""

from __future__ import annotations

from dataclasses import dataclass
from enum import IntEnum


class Role(IntEnum):
    """What a user may do; each role may do what those before it may.

    A reader reads, a writer also changes tables and models, an admin also sees and
    cancels what belongs to others.
    """

    READER = 1
    WRITER = 2
    ADMIN = 3

    @property
    def title(self) -> str:
        """The name as the file of users spells it."""
        return self.name.lower()


@dataclass(frozen=True)
class Caller:
    """One caller of the server.

    Attributes:
        user: the name; whoever has the server's one token is an admin of any name.
        role: what it may do.
        session: the id of the session that the call belongs to, "" without one.
    """

    user: str
    role: Role
    session: str = ""

    def owns(self, user: str) -> bool:
        """Whether the caller may see and cancel what belongs to a user."""
        return self.role is Role.ADMIN or self.user == user


NOBODY_ASKED = Caller("anybody", Role.ADMIN)
"""The caller of a server that asks for no credentials, and of code in this process."""
