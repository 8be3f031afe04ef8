"""Options of Real-ESRGAN (BasicSR): YAML for `python realesrgan/train.py -opt`."""

from __future__ import annotations

from ddrscope.degradations.recipe import DegradationRecipe
from ddrscope.degradations.recipe_steps import Place
from ddrscope.matching.configs.common import (
    PATH_TO_HR,
    RANGES,
    WHERE,
    Config,
    Value,
    make_config,
    percent,
    span,
    yaml_lines,
)
from ddrscope.matching.configs.two_orders import NO_BLUR, NO_JPEG, Blur, Jpeg, Process, TwoOrders, two_orders

# Below this probability, a step that cannot be left to chance is left out.
_ALWAYS = 0.5
# Kernels have 7 to 21 pixels a side; the smallest hold 2.5 of this sigma on each side.
_SMALLEST_KERNEL_SIGMA = 1.2
_LR_PATCH = 64
_HR_CROP = 400


def realesrgan(recipe: DegradationRecipe) -> Config:
    """The recipe for Real-ESRGAN."""
    orders = two_orders(recipe)
    lost = [*orders.lost, *high_order_lost(recipe, orders, _HR_CROP)]
    patch = _LR_PATCH * recipe.scale
    first, second = process_keys(orders.first, ""), process_keys(orders.second, "2")
    values: dict[str, Value] = {
        "name": f"train_RealESRNetx{recipe.scale}_matched",
        # Unlike RealESRGANModel, which reads the same keys, it does not sharpen what it degrades.
        "model_type": "RealESRNetModel",
        "scale": recipe.scale,
        "num_gpu": "auto",
        "manual_seed": 0,
        "gt_usm": False,
        **resizing_keys(orders),
        **first,
        "second_blur_prob": orders.second.blur.probability,
        **second,
        "gt_size": patch,
        "queue_size": 180,
        "datasets": {
            "train": {
                "name": "train",
                "type": "RealESRGANDataset",
                "dataroot_gt": PATH_TO_HR,
                "meta_info": f"{PATH_TO_HR}/meta_info.txt",
                "io_backend": {"type": "disk"},
                **kernel_keys(always(orders.first.blur), ""),
                **kernel_keys(orders.second.blur, "2"),
                "final_sinc_prob": orders.final_sinc,
                "gt_size": patch,
                "use_hflip": True,
                "use_rot": False,
                "use_shuffle": True,
                "num_worker_per_gpu": 5,
                "batch_size_per_gpu": 12,
                "dataset_enlarge_ratio": 1,
            }
        },
        "network_g": _network(recipe.scale),
        "path": {"strict_load_g": True},
        "train": {
            "ema_decay": 0.999,
            "optim_g": {"type": "Adam", "lr": 0.0002, "weight_decay": 0, "betas": [0.9, 0.99]},
            "scheduler": {"type": "MultiStepLR", "milestones": [1_000_000], "gamma": 0.5},
            "total_iter": 1_000_000,
            "warmup_iter": -1,
            "pixel_opt": {"type": "L1Loss", "loss_weight": 1.0, "reduction": "mean"},
        },
        "logger": {"print_freq": 100, "save_checkpoint_freq": 5000, "use_tb_logger": True},
        "dist_params": {"backend": "nccl", "port": 29500},
    }
    notes = [
        "Run: python realesrgan/train.py -opt realesrgan.yml",
        "Fill in dataroot_gt and meta_info, a list of files (scripts/generate_meta_info.py of Real-ESRGAN).",
        "The keys from resize_prob to jpeg_range2, and those of kernels, are also read by RealESRGANModel, which "
        "degrades sharpened images.",
        RANGES,
    ]
    return make_config("realesrgan.yml", "Real-ESRGAN", notes, lost, yaml_lines(values))


def _network(scale: int) -> dict[str, Value]:
    if scale in (1, 2, 4):
        return {
            "type": "RRDBNet", "num_in_ch": 3, "num_out_ch": 3, "scale": scale, "num_feat": 64, "num_block": 23,
            "num_grow_ch": 32,
        }  # fmt: skip
    return {
        "type": "SRVGGNetCompact", "num_in_ch": 3, "num_out_ch": 3, "num_feat": 64, "num_conv": 32, "upscale": scale,
        "act_type": "prelu",
    }  # fmt: skip


def resizing_keys(orders: TwoOrders) -> dict[str, Value]:
    """The keys of both resizings.

    `resize_range` is in shares of the HR size, as `Resizing.share`. The second resizing always goes to the LR size:
    ``keep`` there means to keep the factor, not the size.
    """
    resizing = orders.resizing
    return {
        "resize_prob": [resizing.enlarged, resizing.shrunk, max(1.0 - resizing.probability, 0.0)],
        "resize_range": [min(resizing.low, 1.0), max(resizing.high, 1.0)],
        "resize_prob2": [0.0, 0.0, 1.0],
        "resize_range2": [1.0, 1.0],
    }


def process_keys(process: Process, suffix: str) -> dict[str, Value]:
    """The keys of noise and JPEG of a process; ``suffix`` is ``2`` for the second one."""
    noise = process.noise
    # JPEG has no probability.
    jpeg = process.jpeg.quality if process.jpeg.probability >= _ALWAYS else NO_JPEG
    return {
        f"gaussian_noise_prob{suffix}": noise.gaussian,
        f"noise_range{suffix}": list(noise.sigma),
        f"poisson_scale_range{suffix}": list(noise.poisson_scale),
        f"gray_noise_prob{suffix}": 0.0,
        f"jpeg_range{suffix}": list(jpeg),
    }


def always(blur: Blur) -> Blur:
    """A blur that happens with a sufficient probability, or one that changes nothing: the first one has no probability."""
    sinc = blur.probability * blur.sinc
    blurred = blur.probability - sinc
    is_used = sinc < 1 and blurred / (1 - sinc) >= _ALWAYS
    return Blur(1.0, sinc, blur.kernels if is_used else (("iso", 1.0),), blur.sigma if is_used else NO_BLUR)


def kernel_keys(blur: Blur, suffix: str) -> dict[str, Value]:
    """The keys of the kernels of a process."""
    return {
        f"blur_kernel_size{suffix}": 21,
        f"kernel_list{suffix}": [kernel for kernel, _ in blur.kernels],
        f"kernel_prob{suffix}": [share for _, share in blur.kernels],
        f"sinc_prob{suffix}": blur.sinc,
        f"blur_sigma{suffix}": list(blur.sigma),
        # Of kernels that are not in the list; the program reads them all the same.
        f"betag_range{suffix}": [0.5, 4.0],
        f"betap_range{suffix}": [1.0, 2.0],
    }


def high_order_lost(recipe: DegradationRecipe, orders: TwoOrders, crop: int) -> list[str]:
    """What Real-ESRGAN and programs with the same code cannot express."""
    finals = ", ".join(f"{name} {percent(share)}" for name, share in recipe.final_interpolations().items())
    lost = [
        "The LR size is made by area, bilinear or bicubic interpolation at random, the latter two without "
        f"antialiasing; in the recipe: {finals}."
    ]
    resizing = orders.resizing
    if resizing.probability:
        names = ", ".join(f"{name} {percent(share)}" for name, share in resizing.interpolations.items())
        lost.append(f"So is the intermediate size; in the recipe: {names}.")
        lost.append(intermediate_lost(orders))
    blur = orders.first.blur
    share = blur.probability * (1 - blur.sinc)
    if 0 < share < 1:
        used = "always" if always(blur).sigma != NO_BLUR else "never"
        lost.append(f"The first blur has no probability: {percent(share)} in the recipe, {used} here.")
    for use_place, jpeg in (("before", orders.first.jpeg), ("after", orders.second.jpeg)):
        lost += _jpeg_lost(use_place, jpeg)  # type: ignore[arg-type]
    sigma = max(orders.first.blur.sigma[1], orders.second.blur.sigma[1])
    if sigma > _SMALLEST_KERNEL_SIGMA:
        lost.append(
            f"Kernels have 7 to 21 pixels a side at random: a sigma above {_SMALLEST_KERNEL_SIGMA} is cut off in small ones."
        )
    return [*lost, *crop_lost(crop, recipe.scale)]


def intermediate_lost(orders: TwoOrders) -> str:
    """That the range of the intermediate size begins or ends at 1."""
    ends = span((orders.resizing.low, orders.resizing.high))
    return (
        f"Intermediate sizes are uniform between 1 and the ends of their range; the recipe's are {ends} of the HR size."
    )


def crop_lost(crop: int, scale: int) -> list[str]:
    """That the program crops HR images to a size that the scale does not divide."""
    if crop % scale == 0:
        return []
    return [
        f"The program cuts HR patches of {crop} pixels, and stops since {scale} does not divide it: change it there."
    ]


def _jpeg_lost(place: Place, jpeg: Jpeg) -> list[str]:
    if jpeg.probability >= 1 - 1e-9:
        return []
    if jpeg.probability >= _ALWAYS:
        return [f"JPEG {WHERE[place]} has no probability: {percent(jpeg.probability)} in the recipe, always here."]
    return [
        f"JPEG {WHERE[place]} cannot be switched off: {percent(jpeg.probability)} of images in the recipe, here all at "
        f"quality {NO_JPEG[0]:g} and more with colour at half resolution."
    ]
