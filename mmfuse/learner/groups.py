"""The groups of parameters that an optimizer steps through: a part each, or as few as may be."""

from typing import Any

from mmfuse.learner.parts import LearningParts
from mmfuse.types import Balancer

Group = dict[str, Any]  # with "name": "image", or "image+text+fusion" where these are set alike


def groups(parts: LearningParts, balancer: Balancer, by_part: bool) -> list[Group]:
    """`by_part`: one for each part, so that a schedule can give each a rate of its own."""
    found = [
        {"params": parameters, "name": name, **settings(name, parts, balancer)}
        for name, parameters in parts.parameters.items()
        if parameters
    ]
    if not found:
        raise ValueError("no part of the model has anything to learn")
    return found if by_part else joint(found)


def settings(part: str, parts: LearningParts, balancer: Balancer) -> dict[str, float]:
    """Those of the optimizer that a part has for itself."""
    if part == "balance":  # there is nothing that a loss's weight should be pulled to
        return {"weight_decay": 0.0} | ({} if balancer.lr is None else {"lr": balancer.lr})
    encoder = parts.pretrained.get(part)
    return {} if encoder is None or encoder.lr is None else {"lr": encoder.lr}


def joint(groups: list[Group]) -> list[Group]:
    """Neighbours that are set alike as one: a small model's step takes as long as the calls that it is made of.

    >>> joint([{"params": [1], "name": "a"}, {"params": [2], "name": "b"}, {"params": [3], "name": "h", "lr": 1}])
    [{'params': [1, 2], 'name': 'a+b'}, {'params': [3], 'name': 'h', 'lr': 1}]
    """
    found = list[Group]()
    for group in groups:
        if found and own(found[-1]) == own(group):
            last = found[-1]
            last |= {"params": last["params"] + group["params"], "name": f"{last['name']}+{group['name']}"}
        else:
            found.append(group)
    return found


def own(group: Group) -> Group:
    return {key: value for key, value in group.items() if key not in ("params", "name")}
