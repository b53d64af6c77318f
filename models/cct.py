"""A compact convolutional transformer (CCT, Hassani et al. 2021): convolutions make the tokens, attention pools them."""
import torch
from torch import nn

from vit import Block


class ConvTokenizer(nn.Module):
    """3x3 convolution, ReLU and 3x3 max pooling of stride 2, once per width; image [B, C, H, W] -> [B, HW/4^n, dim]."""

    def __init__(self, chans, widths):
        super().__init__()
        layers = []
        for width in widths:
            layers += [nn.Conv2d(chans, width, 3, padding=1, bias=False), nn.BatchNorm2d(width), nn.ReLU(),
                       nn.MaxPool2d(3, stride=2, padding=1)]
            chans = width
        self.layers = nn.Sequential(*layers)

    def forward(self, x):
        return self.layers(x).flatten(2).transpose(1, 2)


class SequencePool(nn.Module):
    """The average of the tokens by learned weights, softmax(Linear(x)); [B, tokens, dim] -> [B, dim]."""

    def __init__(self, dim):
        super().__init__()
        self.score = nn.Linear(dim, 1)

    def forward(self, x):
        return (self.score(x).softmax(1).transpose(1, 2) @ x).squeeze(1)


class Cct(nn.Module):
    def __init__(self, image=28, chans=1, widths=(16, 64), depth=2, heads=4, mlp_dim=128, classes=10):
        super().__init__()
        dim, tokens = widths[-1], (image // 2 ** len(widths)) ** 2
        self.tokenizer = ConvTokenizer(chans, widths)
        self.pos_embed = nn.Parameter(torch.randn(1, tokens, dim) * 0.02)
        self.blocks = nn.Sequential(*(Block(dim, heads, mlp_dim) for _ in range(depth)))
        self.norm, self.pool, self.head = nn.LayerNorm(dim), SequencePool(dim), nn.Linear(dim, classes)

    def forward(self, x):
        return self.head(self.pool(self.norm(self.blocks(self.tokenizer(x) + self.pos_embed))))
