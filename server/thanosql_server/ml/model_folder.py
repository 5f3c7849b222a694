"""A trained network as files: weights as safetensors beside a `config.json`."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

import torch
from safetensors.torch import save_file

if TYPE_CHECKING:
    from pathlib import Path
    from typing import Any

    from torch import nn

CONFIG, WEIGHTS = "config.json", "weights.safetensors"


def write_model(folder: Path, network: nn.Module, config: dict[str, Any]) -> None:
    """Write the network's weights, and `config` with the version of torch.

    Args:
        folder: an existing folder.
        network: the trained network.
        config: entries of `config.json`; one called `torch` replaces the version.
    """
    weights = {
        name: tensor.detach().cpu().contiguous()
        for name, tensor in network.state_dict().items()
    }
    save_file(weights, folder / WEIGHTS)
    text = json.dumps({"torch": torch.__version__, **config}, indent=2)
    (folder / CONFIG).write_text(text, encoding="utf-8")
