"""What an image process answers."""

from typing import Any

import pytest

from activities.image_job import made_from


@pytest.mark.parametrize(
    "made",
    [
        {"channel": "iiif-img", "name": "../secret.tif", "suffix": ".tif"},
        {"channel": "iiif-img", "name": "/etc/passwd", "suffix": ".tif"},
        {"channel": "thumbs", "name": "thumb-100.jpg", "suffix": "/../../1/x"},
        {"channel": "file", "name": "thumb-100.jpg", "suffix": "/100.jpg"},
        {"channel": [], "name": "thumb-100.jpg", "suffix": "/100.jpg"},
    ],
)
def test_an_answer_is_read_with_care(made: dict[str, Any]) -> None:
    measures = {"size_bytes": 1, "width": 1, "height": 1}
    with pytest.raises(ValueError, match="derivative"):
        made_from({"width": 1, "height": 1, "files": [{**made, **measures}]})
