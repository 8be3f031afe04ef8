"""The devices of a training: one process each, the same weights in all of them."""

from __future__ import annotations

from collections.abc import Iterable, Mapping

import torch
from accelerate import Accelerator
from torch import Tensor, nn

from ddrscope.errors import InputError


class Devices:
    """One or several processes that train together, as `torchrun` or `accelerate launch` starts them.

    Every process draws the whole batch and works on its share of it; gradients are averaged before a step, so the weights stay the same
    everywhere and one process alone learns the same up to rounding.
    """

    def __init__(self, device: str = "cpu") -> None:
        self.accelerator = Accelerator(cpu=device == "cpu")
        # A single process may be sent to a certain GPU; several get theirs from the launcher.
        self.device = self.accelerator.device if self.accelerator.num_processes > 1 else torch.device(device)

    @property
    def first(self) -> bool:
        """Whether this process is the one that writes."""
        return bool(self.accelerator.is_main_process)

    def check_batch(self, batch: int) -> None:
        """Raise `InputError` when ``batch`` cannot be shared equally."""
        count = self.accelerator.num_processes
        if batch % count:
            raise InputError(
                f"a batch of {batch} cannot be shared by {count} processes: give batch={max(batch // count, 1) * count}"
            )

    def share(self, batch: Tensor) -> Tensor:
        """This process's part of a batch, on its device, channels last."""
        part = batch[self.accelerator.process_index :: self.accelerator.num_processes]
        return part.to(self.device).contiguous(memory_format=torch.channels_last)

    def to_device(self, batch: Tensor) -> Tensor:
        """A whole batch, on this process's device."""
        return batch.to(self.device)

    def average_gradients(self, parameters: Iterable[nn.Parameter]) -> None:
        """Replace the gradients by their mean over the processes, in one message."""
        if self.accelerator.num_processes == 1:
            return
        gradients = [parameter.grad for parameter in parameters if parameter.grad is not None]
        mean = self.accelerator.reduce(torch.cat([gradient.flatten() for gradient in gradients]), "mean")
        for gradient, part in zip(gradients, mean.split([gradient.numel() for gradient in gradients]), strict=True):
            gradient.copy_(part.view_as(gradient))

    def mean(self, values: Mapping[str, float]) -> dict[str, float]:
        """The values averaged over the processes; every process must call it."""
        if self.accelerator.num_processes == 1:
            return dict(values)
        reduced = self.accelerator.reduce(torch.tensor(list(values.values()), device=self.device), "mean")
        return dict(zip(values, reduced.tolist(), strict=True))

    def wait(self) -> None:
        """Wait until every process is here."""
        self.accelerator.wait_for_everyone()

    def close(self) -> None:
        """Part from the other processes: one that just exits may be torn down while its messages are under way, and crash."""
        if self.accelerator.num_processes > 1:
            self.accelerator.end_training()
