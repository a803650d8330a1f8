"""The HybridBlocks: backbones, neck, heads, the detector, and decoding."""
