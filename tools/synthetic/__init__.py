"""An endless supply of synthetic textures to train on: broad rather than natural."""

from tools.synthetic.texture import LAYERS, synthetic_texture, synthetic_textures, write_textures

__all__ = ["LAYERS", "synthetic_texture", "synthetic_textures", "write_textures"]
