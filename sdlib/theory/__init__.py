"""Gradient starvation and spectral decoupling, computed.

- :mod:`sdlib.theory.optima`: resting logits and the conventions of lambda.
- :mod:`sdlib.theory.dual`: dual dynamics and fixed points of a linearised network.
- :mod:`sdlib.theory.features`: the feature matrix of a small network and its decomposition.
- :mod:`sdlib.theory.moons`: the two-moons experiment, many seeds at once.
"""
