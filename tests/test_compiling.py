"""Functions compiled with numba, with and without a place for what was compiled."""

from sdlib.compiling import compiled


def test_code_without_a_place_for_its_cache_is_compiled_all_the_same():
    space = {}
    exec("def double(x):\n    return 2 * x", space)  # numba finds no folder for such a function
    assert compiled()(space["double"])(21) == 42
