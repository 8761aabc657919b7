"""Reducing frames of the small observatory."""

import math

GAIN = 1.3
READ_NOISE = 4.2


def subtract_dark(frame, dark):
    """Take the dark current away from a frame."""
    return frame - dark


class FrameStack:
    """Frames of one field, which are averaged."""

    def __init__(self, frames):
        self.frames = list(frames)

    def signal_to_noise(self, electrons):
        """The ratio for so many electrons in all frames together."""
        noise = math.sqrt(electrons + len(self.frames) * READ_NOISE**2)
        return electrons / noise
