"""A customer's share of a worker's slots."""

from contextlib import ExitStack

from activities.share import CustomerShare


def test_half_of_the_slots_is_a_customers_share() -> None:
    share = CustomerShare(4)
    with ExitStack() as slots:
        first, second, third = (slots.enter_context(share.slot(1)) for _ in range(3))
        other = slots.enter_context(share.slot(2))
        assert third.is_beyond_share
        assert not other.is_beyond_share
        third.give_up()
        # One too many was handed back, so nobody else need.
        assert not any(each.is_beyond_share for each in (first, second, third))
    assert not share.is_beyond(1)


def test_of_one_slot_everybody_has_all() -> None:
    share = CustomerShare(1)
    with share.slot(1) as slot:
        assert not slot.is_beyond_share
