"""The values of a passage that are not held: which they are, what they are computed from, and whose memory they lay in."""

from __future__ import annotations

from collections.abc import Mapping

import torch
from torch.multiprocessing.reductions import StorageWeakRef

from .again import Again, CameOutOtherwiseError, again, view_again
from .graph import TorchCall
from .storages import address_of


class SparedValues:
    """Values that are computed when they are read.

    Args:
        held: those that are not, by name.

    Attributes:
        by_name: how each is computed, in the order they were made.
        otherwise: names of those that were computed and were not what they had been.
    """

    def __init__(self, held: Mapping[str, torch.Tensor]) -> None:
        self._held = held
        self.by_name: dict[str, Again] = {}
        self.otherwise: set[str] = set()
        self._users: dict[str, list[str]] = {}
        # By the address of a memory, whose it is; the reference keeps that from being given to another, not the numbers from being freed.
        self._memories: dict[int, tuple[StorageWeakRef, str]] = {}

    def take(self, name: str, tensor: torch.Tensor, call: TorchCall | None) -> bool:
        """Take a value that was just made, if it need not be held.

        Args:
            call: what made it; None where it lies in the memory of others that are held, or of nobody knows whom.
        """
        place = address_of(tensor)
        if place in self._memories:
            whole = self._memories[place][1]
            made = view_again(tensor, whole, self.by_name[whole]) if whole in self.by_name else None
        else:
            made = again(call, tensor, self._known) if call is not None else None
        if made is None:
            return False
        if made.call is not None:
            self._memories[place] = StorageWeakRef(tensor.untyped_storage()), name
        self.by_name[name] = made
        for part in made.parts:
            self._users.setdefault(part, []).append(name)
        return True

    def _known(self, name: str) -> torch.Tensor | Again | None:
        return self.by_name.get(name, self._held.get(name))

    def before_write(self, place: int) -> None:
        """Forget whose a memory is that is about to be written to: what is seen in it from now on are other values."""
        self._memories.pop(place, None)

    def let_go(self, name: str) -> list[str]:
        """Of a value that is to be held after all, those that are views of it, and will share its memory."""
        users = [user for user in self._users.get(name, ()) if user in self.by_name and self.by_name[user].call is None]
        for each in (name, *users):
            del self.by_name[each]
        self._memories = {place: known for place, known in self._memories.items() if known[1] != name}
        return users

    def users(self, name: str) -> list[str]:
        """Those that are computed from a value."""
        return [user for user in self._users.get(name, ()) if user in self.by_name]

    def parts(self) -> set[str]:
        """The values that are held and that some are computed from."""
        return {part for each in self.by_name.values() for part in each.parts} - self.by_name.keys()

    def computed(self, name: str) -> torch.Tensor:
        """A value, computed again.

        Raises:
            CameOutOtherwiseError: it is not what it was, or something that it is computed from.
        """
        if name in self.otherwise:
            raise CameOutOtherwiseError(name)
        how = self.by_name[name]
        parts = {part: self.computed(part) if part in self.by_name else self._held[part] for part in how.parts}
        try:
            return how.computed(parts)
        except CameOutOtherwiseError:
            self.otherwise.add(name)
            raise

    def is_lost(self, name: str) -> bool:
        """Whether it is known to come out otherwise, or something that it is computed from."""
        return name in self.otherwise or any(
            map(self.is_lost, self.by_name[name].parts if name in self.by_name else ())
        )
