"""A CLIP network as a folder: `config.json`, `weights.safetensors`, maybe a vocabulary.

The network is open_clip's, described by its own model configuration, so any of its
architectures can be stored, from a drawn-scenes model of 2 million weights to OpenAI's.
Nothing in the folder can run code when loaded, and nothing is ever downloaded or left
random: weights that are missing or of another shape are an error.
"""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass, field
from typing import TYPE_CHECKING, Any

import open_clip
import torch
from open_clip.model import CLIP, CustomTextCLIP
from open_clip.modified_resnet import ModifiedResNet
from safetensors import SafetensorError
from safetensors.torch import load_file

from thanosql_server.errors import InvalidData, NotSupported
from thanosql_server.ml.clip_vocabulary import MERGES, tokenizer_of
from thanosql_server.ml.model_folder import CONFIG, WEIGHTS, write_model

if TYPE_CHECKING:
    from pathlib import Path

    from open_clip.tokenizer import SimpleTokenizer
    from torch import nn

FAMILY, BASE = "CLIP", "clipen"


@dataclass(frozen=True)
class Preprocess:
    """What happens to a picture first; the names and defaults are open_clip's."""

    mean: tuple[float, ...] = open_clip.OPENAI_DATASET_MEAN
    std: tuple[float, ...] = open_clip.OPENAI_DATASET_STD
    interpolation: str = "bicubic"
    resize_mode: str = "shortest"


@dataclass(frozen=True)
class Architecture:
    """What `config.json` says about the network.

    Attributes:
        model: open_clip's configuration: embed_dim, vision_cfg, text_cfg, ...
        preprocess: what happens to a picture first.
        name: open_clip's name of it, if it has one.
        merges: the model's own vocabulary, a file in its folder; None for OpenAI's.
    """

    model: dict[str, Any] = field(repr=False)
    preprocess: Preprocess = Preprocess()
    name: str | None = None
    merges: str | None = None

    @classmethod
    def named(cls, name: str, preprocess: Preprocess | None = None) -> Architecture:
        """Return one of open_clip's architectures, such as `ViT-B-32-quickgelu`.

        Raises:
            NotSupported: open_clip does not know it.
        """
        model = open_clip.get_model_config(name)
        if model is None:
            raise NotSupported(f"open_clip has no architecture '{name}'")
        return cls(model, preprocess or Preprocess(), name)

    @classmethod
    def of(cls, config: dict[str, Any]) -> Architecture:
        """Return what a `config.json` describes.

        Raises:
            KeyError, TypeError, NotSupported: it does not describe a network.
        """
        settings = dict(config.get("preprocess") or {})
        known = {k: v for k, v in settings.items() if k in Preprocess().__dict__}
        preprocess = Preprocess(**known)
        if config.get("model") is None:
            return cls.named(config["architecture"], preprocess)
        merges = MERGES if config.get("merges") else None
        return cls(config["model"], preprocess, config.get("architecture"), merges)

    @property
    def dim(self) -> int:
        """Length of an embedding."""
        return int(self.model["embed_dim"])

    @property
    def image_size(self) -> int | tuple[int, int]:
        """Side of the input in pixels, or its height and width."""
        size = self.model["vision_cfg"].get("image_size", 224)
        return tuple(size) if isinstance(size, list) else size

    @property
    def context_length(self) -> int:
        """Tokens of a text at most, longer ones are cut."""
        return int(self.model["text_cfg"].get("context_length", 77))

    def build(self) -> nn.Module:
        """Return the network with random weights from torch's global generator.

        Raises:
            NotSupported: its text tower is not open_clip's own, but one that would
                have to be downloaded.
        """
        model = json.loads(json.dumps(self.model))  # a copy: some are popped and set
        text = model["text_cfg"]
        if text.get("hf_model_name") or text.get("hf_tokenizer_name"):
            name = text.get("hf_model_name") or text.get("hf_tokenizer_name")
            raise NotSupported(
                f"the model's texts need '{name}' of Hugging Face, which is not "
                "supported yet; choose an architecture with open_clip's own text tower"
            )
        if "multimodal_cfg" in model:
            raise NotSupported("CoCa models are not supported yet")
        model["vision_cfg"]["timm_model_pretrained"] = False
        kind = CustomTextCLIP if model.pop("custom_text", False) else CLIP
        network: nn.Module = kind(**model)
        if isinstance(network.visual, ModifiedResNet):
            network.visual.to(memory_format=torch.channels_last)
        return network

    def tokenizer(self, folder: Path) -> SimpleTokenizer:
        """Return what turns texts into the network's tokens."""
        file = folder / self.merges if self.merges else None
        return tokenizer_of(file, self.context_length)


def small(image_size: int, merges: int) -> Architecture:
    """Return the architecture that BUILD MODEL trains from scratch: 1.9 M weights.

    A residual image tower learns from thousands of pairs what a transformer does not
    (recall@1 after 75 s on drawn scenes: .67 and .05).
    """
    model = {
        "embed_dim": 128,
        "vision_cfg": {"image_size": image_size, "layers": [1, 1, 1, 1], "width": 16},
        "text_cfg": {
            "context_length": 77,
            "vocab_size": 2 * 256 + merges + 2,  # bytes inside and at the end of words
            "width": 128,
            "heads": 4,
            "layers": 2,
        },
    }
    return Architecture(model, merges=MERGES)


def save(
    folder: Path, architecture: Architecture, network: nn.Module, about: dict[str, Any]
) -> None:
    """Write the model into the folder; its vocabulary is there already.

    Args:
        folder: an existing folder.
        architecture: what `load` builds.
        network: the trained network.
        about: further entries of `config.json`, such as the training's options.
    """
    config = {
        "family": FAMILY,
        "base": BASE,
        "dim": architecture.dim,
        "architecture": architecture.name,
        "model": architecture.model,
        "preprocess": asdict(architecture.preprocess),
        "merges": architecture.merges,
        **about,
    }
    write_model(folder, network, config)


def open_folder(folder: Path) -> tuple[Architecture, nn.Module]:
    """Return the architecture and the network with the weights of the folder.

    Raises:
        InvalidData: the folder does not hold a whole model.
        NotSupported: it needs something that is not open_clip's own.
    """
    try:
        config = json.loads((folder / CONFIG).read_text(encoding="utf-8"))
        architecture = Architecture.of(config)
        with torch.random.fork_rng(devices=[]):
            network = architecture.build()
        network.load_state_dict(load_file(folder / WEIGHTS))
    except _DAMAGE as error:
        raise InvalidData(
            "the model's files are damaged or of another version; build or get it again"
        ) from error
    return architecture, network


_DAMAGE = (
    OSError,
    ValueError,
    KeyError,
    TypeError,
    AttributeError,
    AssertionError,
    RuntimeError,
    SafetensorError,
)
