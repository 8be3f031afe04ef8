"""Options of neosr: TOML for `python train.py -opt`, with degradations on the fly."""

from __future__ import annotations

from ddrscope.degradations.recipe import DegradationRecipe
from ddrscope.matching.configs.common import PATH_TO_HR, RANGES, Config, Value, assignments, make_config
from ddrscope.matching.configs.realesrgan import always, high_order_lost, kernel_keys, process_keys, resizing_keys
from ddrscope.matching.configs.two_orders import two_orders

_HR_CROP = 512


def neosr(recipe: DegradationRecipe) -> Config:
    """The recipe for neosr, whose degradations and names of keys are those of Real-ESRGAN."""
    orders = two_orders(recipe)
    top: dict[str, Value] = {
        "name": f"train_compact_x{recipe.scale}_matched", "model_type": "otf", "scale": recipe.scale, "use_amp": True,
        "bfloat16": True,
    }  # fmt: skip
    tables: dict[str, dict[str, Value]] = {
        "datasets.train": {
            "type": "otf", "dataroot_gt": PATH_TO_HR, "patch_size": 64, "batch_size": 8, "queue_size": 176,
            "use_hflip": True, "use_rot": True,
        },
        # The program adds this table to datasets.train.
        "degradations": {
            **resizing_keys(orders),
            **process_keys(orders.first, ""),
            "second_blur_prob": orders.second.blur.probability,
            **process_keys(orders.second, "2"),
            **kernel_keys(always(orders.first.blur), ""),
            **kernel_keys(orders.second.blur, "2"),
            "final_sinc_prob": orders.final_sinc,
        },
        "path": {},
        "network_g": {"type": "compact"},
        "train": {"ema": 0.999},
        "train.optim_g": {
            "type": "adan_sf", "lr": 0.001, "betas": [0.98, 0.92, 0.99], "weight_decay": 0.01, "schedule_free": True,
            "warmup_steps": 1600,
        },
        "train.pixel_opt": {"type": "L1Loss", "loss_weight": 1.0},
        "logger": {"total_iter": 1_000_000, "save_checkpoint_freq": 1000, "use_tb_logger": True},
    }  # fmt: skip
    lines = assignments(top)
    for name, table in tables.items():
        lines += ["", f"[{name}]", *assignments(table)]
    notes = ["Run: python train.py -opt neosr.toml", "Fill in dataroot_gt.", RANGES]
    lost = [*orders.lost, *high_order_lost(recipe, orders, _HR_CROP)]
    return make_config("neosr.toml", "neosr", notes, lost, lines)
