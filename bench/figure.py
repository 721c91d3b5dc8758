"""A figure of the table that `make bench` prints: ours against a baseline of the same run."""

from dataclasses import dataclass
from typing import Literal


@dataclass(frozen=True)
class Figure:
    """Two measurements in the same `unit`; their ratio is bounded from one side."""

    name: str
    ours: float
    baseline: float
    unit: str
    bound: float
    side: Literal["at least", "at most"]

    @property
    def ratio(self) -> float:
        """Ours by the baseline's."""
        return self.ours / self.baseline

    @property
    def kept(self) -> bool:
        """Whether the ratio is on the right side of its bound."""
        return self.ratio >= self.bound if self.side == "at least" else self.ratio <= self.bound

    @property
    def row(self) -> str:
        """The figure as a row of a Markdown table."""
        return (
            f"| {self.name} | {self.ours:.2f} {self.unit} | {self.baseline:.2f} {self.unit} "
            f"| {self.ratio:.2f} | {self.side} {self.bound:g} |"
        )
