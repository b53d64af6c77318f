"""The vision transformer that models/ trains and exports: pre-norm, class token, learned positions (ViT, DeiT)."""
import torch
from torch import nn


class LowRank(nn.Module):
    """Linear as two thin ones, x @ U^T @ V^T + b (MCUFormer, section 3.2). U: [rank, in], V: [out, rank]."""

    def __init__(self, in_dim, out_dim, rank):
        super().__init__()
        self.u, self.v = nn.Linear(in_dim, rank, bias=False), nn.Linear(rank, out_dim)

    def forward(self, x):
        return self.v(self.u(x))


class Attention(nn.Module):
    def __init__(self, dim, heads):
        super().__init__()
        self.heads, self.scale = heads, (dim // heads) ** -0.5
        self.qkv, self.proj = nn.Linear(dim, 3 * dim), nn.Linear(dim, dim)

    def forward(self, x):
        b, n, d = x.shape
        q, k, v = self.qkv(x).reshape(b, n, 3, self.heads, d // self.heads).permute(2, 0, 3, 1, 4).unbind(0)
        scores = (q * self.scale) @ k.transpose(-2, -1)
        return self.proj((scores.softmax(-1) @ v).transpose(1, 2).reshape(b, n, d))


class Block(nn.Module):
    def __init__(self, dim, heads, mlp_dim, rank=0):
        super().__init__()
        linear = (lambda i, o: LowRank(i, o, rank)) if rank else nn.Linear
        self.norm1, self.attn = nn.LayerNorm(dim), Attention(dim, heads)
        self.norm2 = nn.LayerNorm(dim)
        self.fc1, self.act, self.fc2 = linear(dim, mlp_dim), nn.GELU(), linear(mlp_dim, dim)

    def forward(self, x):
        x = x + self.attn(self.norm1(x))
        return x + self.fc2(self.act(self.fc1(self.norm2(x))))


class PatchEmbed(nn.Module):
    """Non-overlapping patches as tokens; image [B, C, H, W] -> [B, (H/p)(W/p), dim]."""

    def __init__(self, chans, dim, patch):
        super().__init__()
        self.proj = nn.Conv2d(chans, dim, patch, stride=patch)

    def forward(self, x):
        return self.proj(x).flatten(2).transpose(1, 2)


class DecomposedPatchEmbed(nn.Module):
    """The same function with the kernel cut into piece x piece kernels whose outputs add up (MCUFormer, section 3.3)."""

    def __init__(self, chans, dim, patch, piece):
        super().__init__()
        self.patch, self.piece = patch, piece
        count = (patch // piece) ** 2
        self.parts = nn.ModuleList(nn.Conv2d(chans, dim, piece, stride=patch, bias=i == 0) for i in range(count))

    def forward(self, x):
        y, per_row = None, self.patch // self.piece
        for i, conv in enumerate(self.parts):
            row, col = divmod(i, per_row)
            part = conv(x[:, :, row * self.piece:, col * self.piece:])
            y = part if y is None else y + part
        return y.flatten(2).transpose(1, 2)

    @torch.no_grad()
    def load_whole(self, conv):
        """Cuts the kernel of a PatchEmbed convolution."""
        per_row, k = self.patch // self.piece, self.piece
        for i, part in enumerate(self.parts):
            row, col = divmod(i, per_row)
            part.weight.copy_(conv.weight[:, :, row * k:(row + 1) * k, col * k:(col + 1) * k])
        self.parts[0].bias.copy_(conv.bias)


class Vit(nn.Module):
    def __init__(self, image=28, chans=1, patch=4, dim=64, depth=4, heads=4, mlp_dim=128, classes=10, rank=0, piece=0):
        super().__init__()
        self.patch_embed = DecomposedPatchEmbed(chans, dim, patch, piece) if piece else PatchEmbed(chans, dim, patch)
        self.cls_token = nn.Parameter(torch.zeros(1, 1, dim))
        self.pos_embed = nn.Parameter(torch.randn(1, (image // patch) ** 2 + 1, dim) * 0.02)
        self.blocks = nn.Sequential(*(Block(dim, heads, mlp_dim, rank) for _ in range(depth)))
        self.norm, self.head = nn.LayerNorm(dim), nn.Linear(dim, classes)

    def forward(self, x):
        x = self.patch_embed(x)
        x = torch.cat([self.cls_token.expand(x.shape[0], -1, -1), x], dim=1) + self.pos_embed
        return self.head(self.norm(self.blocks(x))[:, 0])
