"""Options of traiNNer-redux: YAML for `python train.py -opt`, with degradations on the fly."""

from __future__ import annotations

from collections.abc import Mapping

from ddrscope.degradations.recipe import DegradationRecipe
from ddrscope.matching.configs.common import PATH_TO_HR, RANGES, Config, Value, make_config, yaml_lines
from ddrscope.matching.configs.realesrgan import crop_lost, intermediate_lost, kernel_keys, resizing_keys
from ddrscope.matching.configs.two_orders import Process, TwoOrders, two_orders

_MODES = {"nearest": "nearest-exact", "box": "area", "bilinear": "bilinear", "bicubic": "bicubic", "lanczos": "lanczos"}
_LR_PATCH = 64
# The program adds this to the side of the patches that it degrades.
_MARGIN = 32
# Half the side of a kernel of 21 pixels, in sigmas.
_LARGEST_SIGMA = 4


def redux(recipe: DegradationRecipe) -> Config:
    """The recipe for traiNNer-redux."""
    orders = two_orders(recipe)
    values: dict[str, Value] = {
        "name": f"{recipe.scale}x_Compact_OTF_matched",
        "scale": recipe.scale,
        "use_amp": True,
        "num_gpu": "auto",
        "high_order_degradation": True,
        "lq_usm": False,
        "thicklines_prob": 0.0,
        **_process_keys(orders.first, ""),
        **_process_keys(orders.second, "2"),
        **_resizing_keys(recipe, orders),
        "queue_size": 128,
        "datasets": {
            "train": {
                "name": "train",
                # Its JSON schema wants realesrgandataset_traiNNer, which the program does not find.
                "type": "realesrgandataset",
                "dataroot_gt": [PATH_TO_HR],
                **_kernel_keys(orders),
                "lq_size": _LR_PATCH,
                "use_hflip": True,
                "use_rot": True,
                "num_worker_per_gpu": 8,
                "batch_size_per_gpu": 16,
                "accum_iter": 1,
            }
        },
        "network_g": {"type": "compact"},
        "path": {"strict_load_g": True},
        "train": {
            "ema_decay": 0.999,
            "ema_power": 0.75,
            "optim_g": {"type": "AdamW", "lr": 0.0002, "weight_decay": 0, "betas": [0.9, 0.99]},
            "scheduler": {"type": "MultiStepLR", "milestones": [200_000, 400_000], "gamma": 0.5},
            "total_iter": 450_000,
            "warmup_iter": -1,
            "losses": [{"type": "charbonnierloss", "loss_weight": 1.0}],
        },
        "val": {"val_enabled": False, "save_img": False},
        "logger": {"print_freq": 100, "save_checkpoint_freq": 1000, "use_tb_logger": True},
    }
    notes = ["Run: python train.py -opt trainner-redux.yml", "Fill in dataroot_gt.", RANGES]
    return make_config("trainner-redux.yml", "traiNNer-redux", notes, _lost(recipe, orders), yaml_lines(values))


def _process_keys(process: Process, suffix: str) -> dict[str, Value]:
    noise, jpeg = process.noise, process.jpeg
    return {
        f"blur_prob{suffix}": process.blur.probability,
        f"gaussian_noise_prob{suffix}": noise.gaussian,
        f"noise_range{suffix}": list(noise.sigma),
        f"poisson_scale_range{suffix}": list(noise.poisson_scale),
        f"gray_noise_prob{suffix}": 0.0,
        f"jpeg_prob{suffix}": jpeg.probability,
        f"jpeg_range{suffix}": list(jpeg.quality),
    }


def _resizing_keys(recipe: DegradationRecipe, orders: TwoOrders) -> dict[str, Value]:
    finals = recipe.final_interpolations()
    return {
        **resizing_keys(orders),
        **_mode_keys(orders.resizing.interpolations, ""),
        # Noise and JPEG of the second process act on LR pixels only if its resizing happens: ``keep`` skips it here,
        # unlike in Real-ESRGAN. A factor this close to 1 gives the LR size.
        "resize_prob2": [1.0, 0.0, 0.0],
        "resize_range2": [1.0, 1.000001],
        **_mode_keys(finals, "2"),
        # The final resizing then finds the LR size; this interpolation leaves it as it is.
        **_mode_keys({"nearest": 1.0}, "3"),
    }


def _mode_keys(shares: Mapping[str, float], suffix: str) -> dict[str, Value]:
    return {
        f"resize_mode_list{suffix}": [_MODES[name] for name in shares],
        f"resize_mode_prob{suffix}": list(shares.values()),
    }


def _kernel_keys(orders: TwoOrders) -> dict[str, Value]:
    # Always the largest kernels: smaller ones cut off the Gaussian.
    return {
        **kernel_keys(orders.first.blur, ""),
        "kernel_range": [21, 21],
        **kernel_keys(orders.second.blur, "2"),
        "kernel_range2": [21, 21],
        "final_sinc_prob": orders.final_sinc,
        "final_kernel_range": [21, 21],
    }


def _lost(recipe: DegradationRecipe, orders: TwoOrders) -> list[str]:
    lost = list(orders.lost)
    if orders.resizing.probability:
        lost.append(intermediate_lost(orders))
    if max(orders.first.blur.sigma[1], orders.second.blur.sigma[1]) > _LARGEST_SIGMA:
        lost.append(f"Kernels end at 21 pixels a side: a sigma above {_LARGEST_SIGMA} is cut off.")
    return [*lost, *crop_lost(_LR_PATCH * recipe.scale + _MARGIN, recipe.scale)]
