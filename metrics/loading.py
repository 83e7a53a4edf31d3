"""Models and tokenizers from a folder or the Hugging Face hub, and what is wrong when they can't be loaded.

Weights are read from safetensors only and no code from a repository is ever run. torch and transformers
are imported when something is loaded, so that this module costs nothing to import.
"""

from __future__ import annotations

import hashlib
import re
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from metrics.model_errors import ModelError, explain

if TYPE_CHECKING:
    from transformers import PreTrainedConfig, PreTrainedModel, PreTrainedTokenizerBase

DTYPES = ("float32", "bfloat16", "float16", "float64")

# Weight files up to this size are hashed whole, larger ones by samples.
_HASHED_WHOLE = 2**31
_SAMPLES, _SAMPLE_BYTES = 256, 2**20


@dataclass(frozen=True)
class ModelInfo:
    """What is known of a model without loading its weights.

    Attributes:
        name: Hub id or folder.
        revision: The resolved commit of a hub model; None for a folder.
        vocab_size: Rows of its input embedding; larger than the tokenizer's vocabulary where it was padded.
        max_positions: The longest sequence it was made for; None where it has no limit.
        parameters: How many weights it has, shared ones counted once.
        eos_token_ids: The end-of-text tokens, as `generate` takes them: of generation_config.json where there is one,
            else of config.json; none where it has none.
        fingerprint: Changes with the weights. `commit:<id>` for a hub model; for a folder `sha256:<hex>`
            over the names, sizes and contents of config.json and every safetensors file; of a file over
            2 GiB only the header, 256 evenly spaced blocks of 1 MiB and the end are read. And with the end-of-text
            tokens, where they are others than the first that config.json names.
    """

    name: str
    revision: str | None
    vocab_size: int
    max_positions: int | None
    parameters: int
    eos_token_ids: tuple[int, ...]
    fingerprint: str


def resolve_device(device: str) -> str:
    """The device to use: `auto` is the GPU where there is one.

    Raises:
        ModelError: an unknown device, or one that this machine or this torch does not have.
    """
    import torch

    if device == "auto":
        return "cuda" if torch.cuda.is_available() else "cpu"
    try:
        kind = torch.device(device)
    except RuntimeError:
        raise ModelError(f"there is no device {device!r}: type --device auto, cpu, cuda or cuda:1") from None
    if kind.type == "cuda":
        found = torch.cuda.device_count()
        if not torch.cuda.is_available():
            built = "sees no GPU" if torch.version.cuda else "was built without CUDA"
            raise ModelError(f"--device {device}: the torch installed here {built}; type --device cpu")
        if kind.index is not None and kind.index >= found:
            raise ModelError(f"--device {device}: this machine has {found} GPU(s), cuda:0 to cuda:{found - 1}")
    return device


def load_model(name: str, revision: str | None = None, dtype: str = "float32", device: str = "auto") -> PreTrainedModel:
    """Loads a causal language model for evaluation.

    Args:
        name: Hub id or folder with config.json and safetensors weights.
        revision: Branch, tag or commit of a hub model.
        dtype: One of `DTYPES`, whatever the weights are stored in. float32 is the reference.
        device: `auto`, `cpu`, `cuda`, `cuda:1`, ...

    Returns:
        The model in evaluation mode, without gradients. On CUDA, float32 products are computed in
        float32, not TF32.

    Raises:
        ModelError: anything that keeps the model from being loaded.
    """
    import torch
    from transformers import AutoModelForCausalLM

    if dtype not in DTYPES:
        raise ModelError(f"there is no dtype {dtype!r}: type --dtype {', '.join(DTYPES[:-1])} or {DTYPES[-1]}")
    device = resolve_device(device)
    _check_folder(name)
    config = _load_config(name, revision)
    try:
        model, loading = AutoModelForCausalLM.from_pretrained(
            _source(name),
            config=config,
            revision=_commit(config) or revision or "main",
            dtype=getattr(torch, dtype),
            use_safetensors=True,
            trust_remote_code=False,
            output_loading_info=True,
        )
    except Exception as error:
        raise explain(error, name, revision) from error
    if missing := sorted(loading["missing_keys"]):
        raise ModelError(
            f"the weights of {name} are incomplete: {len(missing)} are missing, among them {missing[0]}. They would be "
            "filled with random numbers; expected all that config.json asks for"
        )
    if device.startswith("cuda"):
        torch.backends.cuda.matmul.allow_tf32 = False
        torch.backends.cudnn.allow_tf32 = False
    return model.to(device).eval().requires_grad_(False)


def load_tokenizer(name: str, revision: str | None = None) -> PreTrainedTokenizerBase:
    """Loads a tokenizer from the hub, a folder, or a `tokenizer.json` file.

    Raises:
        ModelError: anything that keeps the tokenizer from being loaded.
    """
    from transformers import AutoTokenizer, PreTrainedTokenizerFast

    path = Path(name).expanduser()
    try:
        if path.is_file():
            return PreTrainedTokenizerFast(tokenizer_file=str(path))
        if path.is_dir():
            if not any((path / file).is_file() for file in ("tokenizer.json", "tokenizer_config.json")):
                raise ModelError(
                    f"the folder {name} has no tokenizer: found {_listing(path)}, expected tokenizer.json. "
                    "Name one with --tokenizer (a hub id, a folder or a tokenizer.json)"
                )
        else:
            _refuse_missing_folder(name)
            revision = _resolve_commit(name, revision)
        return AutoTokenizer.from_pretrained(_source(name), revision=revision or "main", trust_remote_code=False)
    except ModelError:
        raise
    except Exception as error:
        raise explain(error, name, revision, what="tokenizer") from error


def tokenizer_fits(tokenizer: PreTrainedTokenizerBase, vocab_size: int) -> None:
    """Makes sure that a model can take every id a tokenizer gives.

    An embedding with more rows than the tokenizer has ids fits: Pythia's are padded to 50,304 and more.

    Raises:
        ModelError: some ids have no row.
    """
    largest = max(tokenizer.get_vocab().values(), default=-1)
    if largest >= vocab_size:
        raise ModelError(
            f"the tokenizer {tokenizer.name_or_path or ''} does not fit the model: its ids go up to {largest:,}, the "
            f"model knows ids up to {vocab_size - 1:,}. Name the model's own with --tokenizer"
        )


def describe_model(name: str, revision: str | None = None) -> ModelInfo:
    """What is known of a model without loading its weights.

    Raises:
        ModelError: no such model, or it can't be reached.
    """
    import torch
    from transformers import AutoModelForCausalLM

    _check_folder(name)
    config = _load_config(name, revision)
    try:
        with torch.device("meta"):  # the shapes, without the memory
            model = AutoModelForCausalLM.from_config(config)
    except Exception as error:
        raise explain(error, name, revision) from error
    text_config = config.get_text_config()
    rows = model.get_input_embeddings().weight.shape[0]
    path = Path(name).expanduser()
    commit = _commit(config)
    eos = _eos_token_ids(name, revision, commit, rows)
    is_usual = eos == _possible(_listed(text_config.eos_token_id)[:1], rows)
    beside = "" if is_usual else str(eos)
    return ModelInfo(
        name=name,
        revision=commit,
        vocab_size=rows,
        max_positions=getattr(text_config, "max_position_embeddings", None),
        parameters=sum(weight.numel() for weight in model.parameters()),
        eos_token_ids=eos,
        fingerprint=_fingerprint(path, beside) if path.is_dir() else f"commit:{commit}{beside}",
    )


def _eos_token_ids(name: str, revision: str | None, commit: str | None, rows: int) -> tuple[int, ...]:
    """What `generate` stops at, read as `from_pretrained` of a model does."""
    from transformers import GenerationConfig

    where = {"pretrained_model_name": _source(name), "revision": commit or "main"}
    try:
        try:
            found = GenerationConfig.from_pretrained(**where)
        except OSError:  # there is no generation_config.json
            found = GenerationConfig.from_pretrained(**where, config_file_name="config.json", _from_model_config=True)
    except Exception as error:
        raise explain(error, name, revision) from error
    ids = _listed(found.eos_token_id)
    if any(type(token) is not int for token in ids):
        raise ModelError(
            f"the model {name} has the end-of-text tokens {ids}: expected numbers, in generation_config.json or, where "
            "that is absent, in config.json"
        )
    return _possible(ids, rows)


def _listed(ids: int | list[int] | None) -> list[int]:
    return [] if ids is None else ids if isinstance(ids, list) else [ids]


def _possible(ids: list[int], rows: int) -> tuple[int, ...]:
    """Each once, without those that no model of so many ids can give."""
    return tuple(token for token in dict.fromkeys(ids) if 0 <= token < rows)


def _check_folder(name: str) -> None:
    path = Path(name).expanduser()
    if not path.is_dir():
        if path.is_file():
            raise ModelError(f"{name} is a file: expected a folder with config.json and safetensors, or a hub id")
        _refuse_missing_folder(name)
        return
    expected = "expected config.json and *.safetensors, as model.save_pretrained() writes them"
    if not (path / "config.json").is_file():
        raise ModelError(f"the folder {name} is no model: found {_listing(path)}, {expected}")
    if not any(path.glob("*.safetensors")):
        pickled = [*path.glob("pytorch_model*.bin"), *path.glob("*.pt"), *path.glob("*.pth")]
        remedy = (
            ". Pickled weights can run code and are not read: convert them with "
            "AutoModelForCausalLM.from_pretrained(...).save_pretrained(...)"
            if pickled
            else ""
        )
        raise ModelError(f"the folder {name} has no weights: found {_listing(path)}, {expected}{remedy}")


def _source(name: str) -> str:
    path = Path(name).expanduser()
    return str(path) if path.is_dir() else name


def _refuse_missing_folder(name: str) -> None:
    """A name that can't be a hub id (`owner/name` or `name`) was meant as a folder."""
    if not re.fullmatch(r"[\w-][\w.-]*(/[\w-][\w.-]*)?", name):
        raise ModelError(f"there is no folder {name}")


def _listing(path: Path) -> str:
    names = sorted(entry.name for entry in path.iterdir())
    return (", ".join(names[:6]) + (f" and {len(names) - 6} more" if len(names) > 6 else "")) or "nothing"


def _load_config(name: str, revision: str | None) -> PreTrainedConfig:
    from transformers import AutoConfig

    commit = None if Path(name).expanduser().is_dir() else _resolve_commit(name, revision)
    try:
        return AutoConfig.from_pretrained(_source(name), revision=commit or "main", trust_remote_code=False)
    except Exception as error:
        raise explain(error, name, revision) from error


def _commit(config: PreTrainedConfig) -> str | None:
    return getattr(config, "_commit_hash", None)


def _resolve_commit(name: str, revision: str | None) -> str:
    """The commit a hub revision stands for; asked once, without the retries that a download makes.

    Where the hub can't be reached, the revision is looked up among the files downloaded before.
    """
    from huggingface_hub import HfApi, try_to_load_from_cache
    from huggingface_hub.errors import HfHubHTTPError, OfflineModeIsEnabled, RepositoryNotFoundError

    if revision is not None and re.fullmatch("[0-9a-f]{40}", revision):
        return revision
    try:
        return HfApi().model_info(name, revision=revision, timeout=15).sha
    except (RepositoryNotFoundError, ValueError) as error:  # ValueError: not a possible name
        raise explain(error, name, revision) from error
    except Exception as error:
        unreachable = not isinstance(error, HfHubHTTPError) or isinstance(error, OfflineModeIsEnabled)
        known = try_to_load_from_cache(name, "config.json", revision=revision)
        if not isinstance(known, str):
            known = try_to_load_from_cache(name, "tokenizer.json", revision=revision)
        if unreachable and isinstance(known, str):
            return Path(known).parent.name
        raise explain(error, name, revision) from error


def _fingerprint(folder: Path, beside: str) -> str:
    digest = hashlib.sha256(beside.encode())
    for path in [folder / "config.json", *sorted(folder.glob("*.safetensors"))]:
        size = path.stat().st_size
        digest.update(f"{path.name}\0{size}\0".encode())
        with path.open("rb") as file:
            if size <= _HASHED_WHOLE:
                while block := file.read(_SAMPLE_BYTES):
                    digest.update(block)
                continue
            header = int.from_bytes(file.read(8), "little")
            digest.update(file.read(min(header, size)))
            for number in range(_SAMPLES + 1):
                file.seek((size - _SAMPLE_BYTES) * number // _SAMPLES)
                digest.update(file.read(_SAMPLE_BYTES))
    return f"sha256:{digest.hexdigest()}"
