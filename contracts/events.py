"""The base of every event, and the law of their evolution.

NOTE: a released version only gains optional fields with a default. Nothing is renamed, removed, retyped or
tightened; anything else is the next version, emitted beside the old one for one release. A retired type name is
never used again. Readers ignore fields they do not know. ``tests/contracts`` compares with the committed schemas.
"""

from typing import ClassVar

import msgspec


class Event(msgspec.Struct, frozen=True, kw_only=True):
    """A fact that one service announces: ids and what listeners need, no personal data, no evidence, no notes.

    The envelope (id, source, time, subject, sequence, trace) is added when the event is stored with its aggregate.
    ``type`` is the wire name, a literal ``<service>.<noun>.<participle>.v<N>``.
    """

    type: ClassVar[str]
