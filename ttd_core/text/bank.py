"""Text embeddings, computed once: in memory for the process, on disk between processes."""

from __future__ import annotations

import hashlib
import json
import os
import tempfile
from collections import OrderedDict
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import torch
import torch.nn.functional as F

from ttd_core.protocols import Backbone, Reporter, SilentReporter, show_status
from ttd_core.text.prompts import fill, template_set

# TCL normalises with this epsilon; for any real embedding it makes no difference
_EPS = 1e-6
# tags come again, captions do not: only texts up to this many characters are worth a file
_DISK_CHARACTERS = 64
_MEMORY_ENTRIES = 100_000
# few enough that whoever waits is told every few seconds how far it is, on a CPU too
_PROMPTS_AT_ONCE = 1024


class TextBank:
    """Embeds texts with a prompt template set.

    A file of the disk cache holds one embedding and its own checksum; it appears under its name only when complete, so
    any number of processes may share a folder, and a damaged file is computed anew. Files are keyed by the digest of
    the weights, the activation, the templates themselves, the way they are averaged, and the text.

    Args:
        backbone: encodes prompts.
        cache_dir: folder for the embeddings, made when first needed; None keeps them in memory only.
        reporter: hears how far a long list is, and once when the folder cannot be written.
        apart: encode the prompts of every text by themselves. With several threads the last bits of an embedding depend
            on what else is in its batch; evaluations must not. Such embeddings have files of their own.
    """

    def __init__(
        self,
        backbone: Backbone,
        cache_dir: Path | None = None,
        reporter: Reporter | None = None,
        *,
        apart: bool = False,
    ) -> None:
        self._backbone = backbone
        self._apart = apart
        info = backbone.info
        name = f"{info.weights_sha256[:24]}-{info.activation}" + ("-apart" if apart else "")
        self._folder = None if cache_dir is None else cache_dir / "text" / name
        self._reporter: Reporter = reporter or SilentReporter()
        self._memory: OrderedDict[str, torch.Tensor] = OrderedDict()

    def embed(self, tags: Sequence[str], templates: str, *, normalise_each: bool | None = None) -> torch.Tensor:
        """Embed texts, averaged over a template set.

        Args:
            tags: K texts, put into each template as they stand.
            templates: name of the set, or a template of one's own, see `template_set`.
            normalise_each: normalise each prompt's embedding before the mean (the convention since ImageNet zero-shot
                classification); False takes the mean of the raw embeddings (TCL). None is the model's own way.

        Returns:
            K×D on the model's device, L2-normalised, float32, without gradient.

        Raises:
            UsageError: the template set is unknown.
        """
        prompts = template_set(templates)
        each = self._backbone.info.normalise_templates if normalise_each is None else normalise_each
        # with one template both ways agree, and need not be stored twice
        prefix = json.dumps([prompts, each and len(prompts) > 1])
        keys = {tag: hashlib.sha256(f"{prefix}\n{tag}".encode("utf-8", "surrogatepass")).hexdigest() for tag in tags}
        found = {tag: self._recall(key, tag) for tag, key in keys.items()}
        missing = [tag for tag, embedding in found.items() if embedding is None]
        step = 1 if self._apart else max(1, _PROMPTS_AT_ONCE // len(prompts))
        many = len(missing) * len(prompts) > _PROMPTS_AT_ONCE
        # one block for all of them: rows kept between the large temporaries of parts would leave holes that add up
        new = torch.empty(len(missing), self._backbone.info.width, device=_device(self._backbone))
        for start in range(0, len(missing), step):
            if many:
                show_status(self._reporter, f"encoding texts: {start} of {len(missing)}")
            chunk = missing[start : start + step]
            new[start : start + len(chunk)] = self._compute(chunk, prompts, each)
            for tag, embedding in zip(chunk, new[start : start + len(chunk)], strict=True):
                found[tag] = embedding
                self._remember(keys[tag], embedding)
                self._store(keys[tag], tag, embedding)
        if many:
            show_status(self._reporter, "")
        rows = [found[tag] for tag in tags]
        if not rows:
            return torch.zeros(0, self._backbone.info.width)
        return torch.stack([row for row in rows if row is not None])

    def prompt_embeddings(self, tags: Sequence[str], templates: str) -> torch.Tensor:
        """K×P×D raw embeddings of each text in each of the set's P templates; not cached, without gradient."""
        return self._encode(tags, template_set(templates))

    def _compute(self, tags: Sequence[str], prompts: Sequence[str], each: bool) -> torch.Tensor:
        raw = self._encode(tags, prompts)
        if each:
            raw = F.normalize(raw, dim=-1, eps=_EPS)
        # K×P×D -> K×D
        return F.normalize(raw.mean(dim=1), dim=-1, eps=_EPS)

    @torch.no_grad()
    def _encode(self, tags: Sequence[str], prompts: Sequence[str]) -> torch.Tensor:
        texts = [fill(template, tag) for tag in tags for template in prompts]
        different = list(dict.fromkeys(texts))
        embeddings = self._backbone.encode_texts(different).float()
        row = {text: i for i, text in enumerate(different)}
        index = torch.tensor([row[text] for text in texts], device=embeddings.device)
        return embeddings[index].view(len(tags), len(prompts), -1)

    def _recall(self, key: str, tag: str) -> torch.Tensor | None:
        known = self._memory.get(key)
        if known is not None:
            self._memory.move_to_end(key)
            return known
        stored = self._read(key, tag)
        if stored is not None:
            self._remember(key, stored)
        return stored

    def _remember(self, key: str, embedding: torch.Tensor) -> None:
        self._memory[key] = embedding
        if len(self._memory) > _MEMORY_ENTRIES:
            self._memory.popitem(last=False)

    def _file(self, key: str, tag: str) -> Path | None:
        if self._folder is None or len(tag) > _DISK_CHARACTERS:
            return None
        return self._folder / key[:2] / key[2:]

    def _read(self, key: str, tag: str) -> torch.Tensor | None:
        path = self._file(key, tag)
        if path is None:
            return None
        try:
            content = path.read_bytes()
        except OSError:
            return None
        digest, payload = content[:32], content[32:]
        if len(payload) != 4 * self._backbone.info.width or hashlib.sha256(payload).digest() != digest:
            return None
        values = torch.from_numpy(np.frombuffer(payload, dtype="<f4").astype(np.float32))
        return values.to(_device(self._backbone))

    def _store(self, key: str, tag: str, embedding: torch.Tensor) -> None:
        path = self._file(key, tag)
        if path is None:
            return
        payload = embedding.cpu().numpy().astype("<f4").tobytes()
        try:
            path.parent.mkdir(parents=True, exist_ok=True)
            handle, temporary = tempfile.mkstemp(dir=path.parent, prefix=".", suffix=".part")
            try:
                with os.fdopen(handle, "wb") as stream:
                    stream.write(hashlib.sha256(payload).digest() + payload)
                os.replace(temporary, path)
            except OSError:
                Path(temporary).unlink(missing_ok=True)
                raise
        except OSError as error:
            reason = error.strerror or type(error).__name__
            self._reporter.warning(f"text embeddings are not kept: {self._folder} cannot be written ({reason})")
            self._folder = None


def _device(backbone: Backbone) -> torch.device:
    parameter = next(iter(backbone.parameters()), None) if isinstance(backbone, torch.nn.Module) else None
    return torch.device("cpu") if parameter is None else parameter.device
