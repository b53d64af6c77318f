"""A pooling-based vision transformer (PiT, Heo et al. 2021): fewer and wider tokens from stage to stage, by a depthwise
convolution of stride 2; the class token goes through a linear layer. Two convolutions make the tokens."""
import torch
from torch import nn

from vit import Block


class TokenPool(nn.Module):
    """[B, 1 + side^2, dim] -> [B, 1 + ceil(side / 2)^2, 2 dim]."""

    def __init__(self, dim, side):
        super().__init__()
        self.side = side
        self.conv, self.fc = nn.Conv2d(dim, 2 * dim, 3, stride=2, padding=1, groups=dim), nn.Linear(dim, 2 * dim)

    def forward(self, x):
        b, _, c = x.shape
        image = x[:, 1:].transpose(1, 2).reshape(b, c, self.side, self.side)
        return torch.cat([self.fc(x[:, :1]), self.conv(image).flatten(2).transpose(1, 2)], dim=1)


class Pit(nn.Module):
    def __init__(self, image=28, chans=1, stem=16, dim=48, depths=(2, 2), heads=(3, 6), ratio=2, classes=10):
        super().__init__()
        side = image // 4
        self.patch_embed = nn.Sequential(nn.Conv2d(chans, stem, 3, stride=2, padding=1), nn.ReLU(),
                                         nn.Conv2d(stem, dim, 3, stride=2, padding=1))
        self.cls_token = nn.Parameter(torch.zeros(1, 1, dim))
        self.pos_embed = nn.Parameter(torch.randn(1, dim, side, side) * 0.02)
        layers = []
        for stage, depth in enumerate(depths):
            if stage:
                layers.append(TokenPool(dim, side))
                side, dim = (side + 1) // 2, dim * 2
            layers += [Block(dim, heads[stage], ratio * dim) for _ in range(depth)]
        self.layers = nn.Sequential(*layers)
        self.norm, self.head = nn.LayerNorm(dim), nn.Linear(dim, classes)

    def forward(self, x):
        x = (self.patch_embed(x) + self.pos_embed).flatten(2).transpose(1, 2)
        x = self.layers(torch.cat([self.cls_token.expand(x.shape[0], -1, -1), x], dim=1))
        return self.head(self.norm(x[:, 0]))
