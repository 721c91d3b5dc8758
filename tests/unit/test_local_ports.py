"""Ports: asked for, chosen, taken."""

import socket

import pytest

from local.errors import PortTaken
from local.ports import Wish, claim, free_port

HOST = "127.0.0.1"


def test_a_taken_port_is_named_with_its_option() -> None:
    with socket.socket() as taken:
        taken.bind((HOST, 0))
        taken.listen()
        port = taken.getsockname()[1]
        with pytest.raises(PortTaken, match=rf"port {port} of {HOST} .*in use.*--ui-port"):
            claim([Wish(HOST, 0, "--port"), Wish(HOST, port, "--ui-port")])


def test_the_same_port_twice_is_taken() -> None:
    port = free_port()
    with pytest.raises(PortTaken, match="--temporal-port"):
        claim([Wish(HOST, port, "--port"), Wish(HOST, port, "--temporal-port")])


def test_zero_is_any_that_is_free() -> None:
    asked = free_port()
    ports = claim([Wish(HOST, 0, "a"), Wish(HOST, asked, "b"), Wish(HOST, 0, "c")])
    assert ports[1] == asked
    assert len(set(ports)) == 3
    assert claim([Wish(HOST, port, "again") for port in ports]) == ports


def test_a_host_that_is_not_of_this_machine_is_named() -> None:
    with pytest.raises(PortTaken, match=r"192\.0\.2\.1"):
        claim([Wish("192.0.2.1", 8000, "--port")])
