"""One figure of the benchmark: ours, its rival's, and what their ratio has to be."""

from typing import NamedTuple

FAR = 2.0  # times off its goal, beyond which a row is no longer a matter of the machine


class Row(NamedTuple):
    name: str
    ours: float
    rival: float | None
    goal: tuple[str, float] | None  # of the ratio, or of ours where there is no rival
    unit: str

    @property
    def ratio(self) -> float:
        return self.ours if self.rival is None else self.ours / self.rival

    @property
    def met(self) -> str:
        if self.goal is None:
            return ""
        sign, bound = self.goal
        return "PASS" if (self.ratio >= bound if sign == ">=" else self.ratio < bound) else "FAIL"

    @property
    def far(self) -> bool:
        """Off its goal by more than twice.

        >>> Row("", 0.4, 1.0, (">=", 1.0), "rows/s").far, Row("", 0.6, 1.0, (">=", 1.0), "rows/s").far
        (True, False)
        """
        if self.goal is None:
            return False
        sign, bound = self.goal
        return not (self.ratio >= bound / FAR if sign == ">=" else self.ratio <= bound * FAR)

    def cells(self) -> list[str]:
        rival, ratio = ("", "") if self.rival is None else (f"{self.rival:,.4g}", f"{self.ratio:.2f}")
        goal = "" if self.goal is None else f"{self.goal[0]} {self.goal[1]:g}"
        return [self.name, f"{self.ours:,.4g}", rival, ratio, goal, self.met, self.unit]
