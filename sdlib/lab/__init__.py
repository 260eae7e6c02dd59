"""The shift lab: disturb a tile with sliders and watch what every arm predicts.

``make lab`` opens it in a browser. Its callbacks are Python, so it needs a running kernel; where a
page is executed to be read later, :func:`show` puts a strip of pictures in its place.
"""

from sdlib.lab.frontend import has_frontend
from sdlib.lab.opening import lab, show
from sdlib.lab.pictures import disturb, fallback_strip
from sdlib.lab.widget import Lab

__all__ = ["Lab", "disturb", "fallback_strip", "has_frontend", "lab", "show"]
