"""How many of a worker's slots a customer has: half at most, while another's work waits."""

from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass


@dataclass
class Slot:
    """One slot that a customer has."""

    share: "CustomerShare"
    customer_id: int
    is_given_up: bool = False

    @property
    def is_beyond_share(self) -> bool:
        """Whether the customer has more slots than half of them."""
        return not self.is_given_up and self.share.is_beyond(self.customer_id)

    def give_up(self) -> None:
        """Counts the slot no more: it is about to be handed back."""
        if not self.is_given_up:
            self.is_given_up = True
            self.share.leave(self.customer_id)


class CustomerShare:
    """Of one task queue with so many slots."""

    def __init__(self, slots: int) -> None:
        self._most = max(1, slots // 2)
        self._busy: Counter[int] = Counter()

    @contextmanager
    def slot(self, customer_id: int) -> Iterator[Slot]:
        """A slot of a customer, for as long as the `with` lasts."""
        self._busy[customer_id] += 1
        slot = Slot(self, customer_id)
        try:
            yield slot
        finally:
            slot.give_up()

    def is_beyond(self, customer_id: int) -> bool:
        """Whether a customer has more than half of the slots."""
        return self._busy[customer_id] > self._most

    def leave(self, customer_id: int) -> None:
        """One slot less of a customer."""
        self._busy[customer_id] -= 1
        if not self._busy[customer_id]:
            del self._busy[customer_id]
