"""CLIP's text side: token ids, and embeddings from a context no longer than the texts need.

A causal tower computes the same embedding whether or not padding follows the end token, so the padding is left out:
most tags take 4 to 12 of the 77 positions.
"""

from __future__ import annotations

from collections.abc import Sequence
from functools import lru_cache, partial
from typing import Any

import torch
from open_clip.tokenizer import SimpleTokenizer
from torch import nn

from ttd_core.clip.recomputing import recomputed
from ttd_core.clip.vit import block_qkv, norm, pool_token
from ttd_core.errors import WeightsError


@lru_cache(maxsize=4)
def _tokenizer(context: int) -> SimpleTokenizer:
    """Reading the vocabulary takes a tenth of a second; all models of a process share it."""
    return SimpleTokenizer(context_length=context)


class TextTower:
    """The text tower of an open_clip CLIP with OpenAI's tokenizer.

    Args:
        network: open_clip's `CLIP` or `CustomTextCLIP`; its parameters are used, not copied.

    Raises:
        WeightsError: the tower has fewer token rows than the tokenizer knows tokens.
    """

    def __init__(self, network: Any) -> None:
        self.network = network
        self.tower: Any = getattr(network, "text", network)
        self.context = int(self.tower.context_length)
        self.tokenizer = _tokenizer(self.context)
        rows = self.tower.token_embedding.weight.shape[0]
        if rows < self.tokenizer.vocab_size:
            raise WeightsError(
                f"the text tower knows {rows} tokens, CLIP's tokenizer has {self.tokenizer.vocab_size}",
                hint="these weights belong to a model with another tokenizer",
            )
        pool = getattr(self.tower, "text_pool_type", None) or getattr(self.tower, "pool_type", "argmax")
        self.trimmable = pool == "argmax" and self.tower.attn_mask is not None

    def tokenize(self, texts: Sequence[str]) -> tuple[torch.Tensor, torch.Tensor, list[int]]:
        """Byte-pair ids as OpenAI's tokenizer makes them.

        Returns:
            K×context ids (int64), zero-padded; the length of each including start and end token (K, int64); and the
            numbers of the texts that were cut to fit, their last id being the end token.
        """
        start, end = self.tokenizer.sot_token_id, self.tokenizer.eot_token_id
        ids = torch.zeros(len(texts), self.context, dtype=torch.int64)
        lengths = torch.zeros(len(texts), dtype=torch.int64)
        cut: list[int] = []
        for i, text in enumerate(texts):
            # a text that spells out a control token must not end the sequence early
            body = [t for t in self.tokenizer.encode(text) if t not in (start, end)]
            if len(body) > self.context - 2:
                cut.append(i)
            row = [start, *body[: self.context - 2], end]
            ids[i, : len(row)] = torch.tensor(row)
            lengths[i] = len(row)
        return ids, lengths, cut

    def encode(self, ids: torch.Tensor, lengths: torch.Tensor, batch: int = 256) -> torch.Tensor:
        """Embed tokenised texts.

        Args:
            ids: K×context.
            lengths: K.
            batch: texts of similar length that go through the tower together.

        Returns:
            K×D, not normalised. Differentiable.
        """
        device = self.tower.positional_embedding.device
        if not self.trimmable:
            parts = [self.network.encode_text(chunk) for chunk in torch.split(ids.to(device), batch)]
            return torch.cat(parts) if parts else ids.new_zeros(0, 0)
        order = torch.argsort(lengths, stable=True)
        parts = []
        for rows in torch.split(order, batch):
            longest = int(lengths[rows].max())
            tokens = self.tower.token_embedding(ids[rows, :longest].to(device))
            parts.append(self.encode_embedded(tokens, lengths[rows].to(device) - 1))
        back = torch.argsort(order).to(device)
        return torch.cat(parts)[back]

    def encode_embedded(self, tokens: torch.Tensor, readout: torch.Tensor) -> torch.Tensor:
        """Run token embeddings, learned ones included, through the tower.

        Args:
            tokens: K×T×W embeddings without positions, T at most the context length.
            readout: K positions whose output is the text's embedding.

        Returns:
            K×D, not normalised. Differentiable.
        """
        tower, t = self.tower, tokens.shape[1]
        x = tokens + tower.positional_embedding[:t]
        mask = tower.attn_mask[:t, :t].to(x.dtype)
        *blocks, last = tower.transformer.resblocks
        for block in blocks:
            x = recomputed(tower.transformer, partial(block, attn_mask=mask), x)
        pooled = norm(tower.ln_final, pool_token(last, x, block_qkv(last, x), readout, mask))
        projection = tower.text_projection
        if projection is None:
            return pooled
        if isinstance(projection, nn.Linear):
            return projection(pooled)
        return pooled @ projection


def reference_features(tower: TextTower, context: torch.Tensor, names: Sequence[str]) -> torch.Tensor:
    """ReCLIP's class-preference features: one learned context in front of the first three tokens of each name.

    The sequence is start token, context, three name tokens; it is read at the end token if that is among the three,
    else at the largest id (ReCLIP §"reference feature encoder", released code).

    Args:
        tower: the frozen text tower.
        context: 1×(context−4)×W learned embeddings, shared by all classes.
        names: K class names, bare.

    Returns:
        K×D, not normalised; ReCLIP divides by the Frobenius norm of the whole matrix. Differentiable.
    """
    ids, readout = name_tokens(tower, names)
    embedding = tower.tower.token_embedding
    device = context.device
    start = embedding(torch.tensor([[tower.tokenizer.sot_token_id]], device=device))
    tail = embedding(ids.to(device))
    k = len(names)
    tokens = torch.cat([start.expand(k, -1, -1), context.expand(k, -1, -1), tail], dim=1)
    return tower.encode_embedded(tokens, readout.to(device))


def name_tokens(tower: TextTower, names: Sequence[str]) -> tuple[torch.Tensor, torch.Tensor]:
    """Tokens 1 to 3 of each bare name (K×3) and the position at which `reference_features` reads (K)."""
    ids = tower.tokenize(names)[0][:, 1:4]
    return ids, tower.context - 3 + ids.argmax(dim=1)
