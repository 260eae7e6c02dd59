"""The theory of gradient starvation and spectral decoupling, as code.

- :mod:`sdlib.theory.optima`: the logits at which training stops, and the conventions of lambda.
- :mod:`sdlib.theory.heads`: the margin that each kind of classification head is held at.
- :mod:`sdlib.theory.dual`: dual variables, fixed points and starvation in a linearised network.
- :mod:`sdlib.theory.flows`: the same network over time, by dual ascent and by gradient descent.
- :mod:`sdlib.theory.linearised`: what both of them share: the penalties, the kernel, the checks.
- :mod:`sdlib.theory.features`: the feature matrix of a small network and its decomposition.
- :mod:`sdlib.theory.linear_heads`: linear heads on frozen features: where either penalty rests.
- :mod:`sdlib.theory.moons`: the two-moons experiment, for many seeds.
"""
