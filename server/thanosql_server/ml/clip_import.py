"""A checkpoint of one of open_clip's architectures becomes a model folder."""

from __future__ import annotations

import pickle
import warnings
from typing import TYPE_CHECKING

import torch
from open_clip.convert import convert_state_dict
from open_clip.factory import load_state_dict
from open_clip.model import convert_to_custom_text_state_dict
from safetensors import SafetensorError

from thanosql_server.errors import InvalidData, NotSupported
from thanosql_server.ml.clip_model import Architecture, Preprocess, save

if TYPE_CHECKING:
    from pathlib import Path
    from typing import Any

    from torch import nn

SUFFIXES = (".safetensors", ".pt", ".pth", ".bin")


def import_checkpoint(
    checkpoint: Path,
    name: str,
    folder: Path,
    about: dict[str, Any] | None = None,
    preprocess: Preprocess | None = None,
) -> None:
    """Write the model folder of a checkpoint.

    Files of torch are read with `weights_only=True`: what else they hold is refused,
    not run.

    Args:
        checkpoint: a file with one of SUFFIXES.
        name: open_clip's name of its architecture; OpenAI's weights need the one with
            `-quickgelu`, as nothing in the file tells the activation.
        folder: an existing folder, for `clip_encoder.load`.
        about: further entries of `config.json`, such as source and licence.
        preprocess: what happens to a picture first, if not what OpenAI does.

    Raises:
        InvalidData: the file is not a checkpoint of this architecture.
        NotSupported: there is no such architecture.
    """
    if ":" in name:
        # open_clip would read folders, or download, for names such as hf-hub:a/b.
        raise NotSupported(f"open_clip has no architecture '{name}'")
    architecture = Architecture.named(name, preprocess)
    with torch.random.fork_rng(devices=[]):
        network = architecture.build()
    if checkpoint.suffix not in SUFFIXES:
        raise InvalidData(
            f"'{checkpoint.name}' is not a checkpoint; known kinds are "
            f"{', '.join(SUFFIXES)}"
        )
    weights = _read(checkpoint)
    try:
        network.load_state_dict(_named_as_in(network, weights), strict=True)
    except (RuntimeError, KeyError, ValueError, TypeError, AttributeError) as error:
        raise InvalidData(
            f"'{checkpoint.name}' does not hold the weights of {name}"
        ) from error
    save(folder, architecture, network, about or {})


def _read(checkpoint: Path) -> dict[str, Any]:
    """Return the tensors of a file by name.

    Raises:
        InvalidData: it is damaged, or holds something else.
    """
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # of old formats, and of programs
            weights: dict[str, Any] = load_state_dict(checkpoint, weights_only=True)
            return weights
    except (OSError, EOFError, RuntimeError, SafetensorError) as error:
        # A TorchScript archive is a program; torch refuses it with a plain error.
        if "TorchScript" in str(error):
            raise _more(checkpoint) from error
        raise InvalidData(f"'{checkpoint.name}' is damaged; get it again") from error
    except pickle.UnpicklingError as error:
        raise _more(checkpoint) from error
    except (TypeError, AttributeError, LookupError, StopIteration) as error:
        raise InvalidData(f"'{checkpoint.name}' holds no weights") from error


def _more(checkpoint: Path) -> InvalidData:
    return InvalidData(
        f"'{checkpoint.name}' holds more than weights and was not opened; get it as a "
        "safetensors file"
    )


def _named_as_in(network: nn.Module, weights: dict[str, Any]) -> dict[str, Any]:
    """Return the weights by the names of this network, which differ by who wrote them.

    open_clip's own `load_checkpoint` also stretches positions to another number of
    them, so that a checkpoint of another architecture may pass for this one.
    """
    weights = convert_state_dict(network, weights)
    if "positional_embedding" in weights and not hasattr(
        network, "positional_embedding"
    ):
        weights = convert_to_custom_text_state_dict(weights)
    for name in ("logit_scale", "logit_bias"):
        there, wanted = weights.get(name), getattr(network, name, None)
        if there is not None and wanted is not None:
            weights[name] = there.reshape(wanted.shape)
    return weights
