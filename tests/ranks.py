"""A rank of several that align a batch together, as a process of its own: what each would hand to its optimizer."""

import torch
from torch import distributed, nn
from torch.distributed.device_mesh import init_device_mesh

from mmfuse.learner.sharded import load, share
from mmfuse.types import Batch, Outputs, Signal


def outputs(encoded):
    return Outputs({}, encoded, lambda signals: {})


def aligned(objective, encoders, rows, present, labels):
    """(loss, gradients): of rows (B, D) by modality, run through `encoders`, some of which are absent."""
    encoded = {m: Signal.vector(encoders[m](rows[m]), present[m]) for m in rows}
    batch = Batch({}, {"kind": labels}, torch.arange(len(labels)))
    loss = torch.stack(list(objective(outputs(encoded), batch).values())).sum()
    parameters = [*encoders.parameters(), *objective.parameters()]
    return loss.detach(), torch.autograd.grad(loss, parameters, allow_unused=True, materialize_grads=True)


def rank(number, store, case, parts, answers):
    """Leaves its loss, and the mean over ranks of its gradients, which is what DDP makes of them."""
    torch.set_num_threads(1)
    distributed.init_process_group("gloo", init_method=f"file://{store}", rank=number, world_size=len(parts))
    found = []
    for objective, encoders in case:
        loss, gradients = aligned(objective, encoders, *parts[number])
        for gradient in gradients:
            distributed.all_reduce(gradient)
        found.append((loss, [gradient / len(parts) for gradient in gradients]))
    torch.save(found, answers / f"{number}.pt")
    distributed.barrier()
    distributed.destroy_process_group()


def linear(dims, width):
    return nn.ModuleDict({m: nn.Linear(d, width) for m, d in dims.items()})


def sharing(number, store, answers):
    """A rank of two that share a network's weights: leaves the shapes of its own, and all once they were loaded."""
    torch.set_num_threads(1)
    distributed.init_process_group("gloo", init_method=f"file://{store}", rank=number, world_size=2)
    torch.manual_seed(0)
    network = nn.Sequential(nn.Linear(4, 5), nn.Linear(5, 3))
    before = {name: value.clone() for name, value in network.state_dict().items()}
    share({"first": network[0], "rest": network}, init_device_mesh("cpu", (2,)))
    own = {name: tuple(p.to_local().shape) for name, p in network.named_parameters()}
    with torch.no_grad():
        for parameter in network.parameters():
            parameter.zero_()
    load(network, before)
    loaded = {name: p.full_tensor() for name, p in network.named_parameters()}
    torch.save({"own": own, "before": before, "loaded": loaded}, answers / f"{number}.pt")
    distributed.barrier()
    distributed.destroy_process_group()
