"""Networks: backbones, necks, heads, detectors, box coders, head layouts and decoding blocks."""
