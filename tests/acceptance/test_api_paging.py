"""api.md, "Envelope": paged collections."""

from itertools import chain

import pytest

from tests.stack import Customer, Json

MEMBERS: list[Json] = [
    {
        "id": f"p{number:02}",
        "space": 1,
        "mediaType": "image/jpeg",
        "origin": "http://10.0.0.1/a.jpg",
        "number1": number % 3,
    }
    for number in range(25)
]


def followed(customer: Customer, first: Json, way: str) -> list[list[str]]:
    """The ids of each page, from the first on along a link."""
    pages, page = [], first
    while True:
        pages.append([member["id"] for member in page["member"]])
        if way not in page["view"]:
            return pages
        page = customer.get(page["view"][way])


def test_pages_follow_each_other(customer: Customer) -> None:
    customer.submit(MEMBERS)
    first = customer.get("/spaces/1/images?pageSize=10")
    assert first["@type"] == "Collection"
    assert (first["totalItems"], first["pageSize"]) == (25, 10)
    view = first["view"]
    assert (view["page"], view["pageSize"], view["totalPages"]) == (1, 10, 3)
    assert view["@type"] == "PartialCollectionView"
    assert "first" not in view
    assert "previous" not in view
    pages = followed(customer, first, "next")
    assert [len(page) for page in pages] == [10, 10, 5]
    assert list(chain(*pages)) == [member["id"] for member in MEMBERS]
    last = customer.get(view["last"])
    assert "next" not in last["view"]
    assert "last" not in last["view"]
    assert customer.get(last["view"]["@id"]) == last
    assert followed(customer, last, "previous") == pages[::-1]
    assert customer.get(last["view"]["first"])["member"] == first["member"]


def test_an_ordered_and_narrowed_view_keeps_its_question(customer: Customer) -> None:
    customer.submit(MEMBERS)
    page = customer.get('/allImages?q={"number1":1}&orderByDescending=id&pageSize=3')
    assert page["totalItems"] == 8
    ids = list(chain(*followed(customer, page, "next")))
    assert ids == sorted((m["id"] for m in MEMBERS if m["number1"] == 1), reverse=True)


@pytest.mark.parametrize(
    "query", ["page=0", "page=-1", "page=x", "page=1.5", "pageSize=0", "pageSize=x"]
)
def test_what_is_no_page_is_refused(customer: Customer, query: str) -> None:
    response = customer.stack.client.get(
        customer.url(f"/queue/batches?{query}"), auth=customer.auth
    )
    assert response.status_code == 400
    assert query.partition("=")[0] in response.json()["detail"]


def test_beyond_the_ends(customer: Customer) -> None:
    customer.submit(MEMBERS)
    beyond = customer.get("/spaces/1/images?page=9&pageSize=10")
    assert (beyond["member"], beyond["totalItems"]) == ([], 25)
    assert "next" not in beyond["view"]
    assert customer.get("/spaces/1/images?pageSize=100000")["pageSize"] == 500
    empty = customer.get("/queue/active?pageSize=10")
    assert empty["view"]["totalPages"] == 0 or empty["totalItems"]


def test_a_hundred_to_a_page_unless_asked(customer: Customer) -> None:
    assert customer.get("/spaces")["pageSize"] == 100
