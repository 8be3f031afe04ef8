"""The processes of a training, one for each device, with the same weights in all of them."""

from __future__ import annotations

from collections.abc import Iterable, Mapping

import torch
from accelerate import Accelerator
from torch import Tensor, nn

from ddrscope.errors import InputError


class Devices:
    """One or several processes that train together, started by `torchrun` or `accelerate launch`.

    Each process draws the whole batch and computes its share. Gradients are averaged before a step, so weights are the
    same in all processes, and the same as with a single process up to rounding.

    Args:
        device: The device of a single process. With several processes the launcher assigns devices.
    """

    def __init__(self, device: str = "cpu") -> None:
        self.accelerator = Accelerator(cpu=device == "cpu")
        self.device = self.accelerator.device if self.accelerator.num_processes > 1 else torch.device(device)

    @property
    def first(self) -> bool:
        """Whether this process writes the files."""
        return bool(self.accelerator.is_main_process)

    def check_batch(self, batch: int) -> None:
        """Raise `InputError` if ``batch`` patches cannot be divided equally."""
        count = self.accelerator.num_processes
        if batch % count:
            raise InputError(
                f"a batch of {batch} cannot be divided between {count} processes: give batch={max(batch // count, 1) * count}"
            )

    def share(self, batch: Tensor) -> Tensor:
        """This process's share of a batch, on its device, channels last."""
        part = batch[self.accelerator.process_index :: self.accelerator.num_processes]
        return part.to(self.device).contiguous(memory_format=torch.channels_last)

    def to_device(self, batch: Tensor) -> Tensor:
        """A whole batch, on this process's device."""
        return batch.to(self.device)

    def average_gradients(self, parameters: Iterable[nn.Parameter]) -> None:
        """Replace the gradients by their mean over all processes, in one message."""
        if self.accelerator.num_processes == 1:
            return
        gradients = [parameter.grad for parameter in parameters if parameter.grad is not None]
        mean = self.accelerator.reduce(torch.cat([gradient.flatten() for gradient in gradients]), "mean")
        for gradient, part in zip(gradients, mean.split([gradient.numel() for gradient in gradients]), strict=True):
            gradient.copy_(part.view_as(gradient))

    def mean(self, values: Mapping[str, float]) -> dict[str, float]:
        """The values averaged over all processes. Every process must call it."""
        if self.accelerator.num_processes == 1:
            return dict(values)
        reduced = self.accelerator.reduce(torch.tensor(list(values.values()), device=self.device), "mean")
        return dict(zip(values, reduced.tolist(), strict=True))

    def wait(self) -> None:
        """Wait until every process calls it."""
        self.accelerator.wait_for_everyone()

    def close(self) -> None:
        """End the communication. A process that exits without it may crash while messages are being sent."""
        if self.accelerator.num_processes > 1:
            self.accelerator.end_training()
