"""Synthetic textures for training, without end: broad rather than natural."""

from tools.synthetic.texture import LAYERS, synthetic_texture, synthetic_textures, write_textures

__all__ = ["LAYERS", "synthetic_texture", "synthetic_textures", "write_textures"]
