"""A checkpoint of one of open_clip's architectures becomes a model folder."""

from __future__ import annotations

import pickle
import warnings
from typing import TYPE_CHECKING

import torch
from open_clip.factory import load_checkpoint
from safetensors import SafetensorError

from thanosql_server.errors import InvalidData
from thanosql_server.ml.clip_model import Architecture, Preprocess, save

if TYPE_CHECKING:
    from pathlib import Path
    from typing import Any

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
    architecture = Architecture.named(name, preprocess)
    with torch.random.fork_rng(devices=[]):
        network = architecture.build()
    if checkpoint.suffix not in SUFFIXES:
        raise InvalidData(
            f"'{checkpoint.name}' is not a checkpoint; known kinds are "
            f"{', '.join(SUFFIXES)}"
        )
    try:
        with warnings.catch_warnings():
            warnings.filterwarnings("ignore", message="Detected pickle protocol")
            load_checkpoint(network, str(checkpoint), strict=True, weights_only=True)
    except pickle.UnpicklingError as error:
        raise InvalidData(
            f"'{checkpoint.name}' holds more than weights and was not opened; get it "
            "as a safetensors file"
        ) from error
    except (OSError, EOFError, SafetensorError) as error:
        raise InvalidData(f"'{checkpoint.name}' is damaged; get it again") from error
    except (RuntimeError, KeyError, ValueError, TypeError, AttributeError) as error:
        raise InvalidData(
            f"'{checkpoint.name}' does not hold the weights of a {name}"
        ) from error
    save(folder, architecture, network, about or {})
