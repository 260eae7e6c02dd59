"""What a tile of tissue is made of: one value per latent factor, and the size of its field."""

from __future__ import annotations

from dataclasses import dataclass

__all__ = ["FIELD_UM", "HistologyTile"]

FIELD_UM = 192.0
"""Side of the field of view in um, the same for every tile and every size in pixels."""


# Attributes keep their order: the cache recognises tiles by their printed form.
@dataclass(frozen=True)
class HistologyTile:
    """The description of a tile, from which :func:`sdlib.phantoms.render` makes its pixels.

    ``dataclasses.replace`` changes one attribute and leaves the rest of the tissue as it is.

    Attributes
    ----------
    target : int
        0 benign, 1 cancer. Not used in rendering.
    patient : str
        Such as ``"development-07"``. Not used in rendering.
    cohort : str
        A key of ``COHORTS``. Not used in rendering.
    scanner, centre : str
        Keys of ``SCANNERS`` and ``CENTRES``: what made the image, and who stained the tissue.
    seed : int
        Seed of everything that no factor names, such as where glands lie.
    gland_size : float
        Mean radius of a gland, um; smaller where glands would touch.
    gland_density : float
        Glands per mm2.
    lumen_fraction : float
        Area of the lumen as a share of the area of its gland, 0 to 1.
    folding : float
        Papillary infolding of the lumen's border, as a share of the radius.
    basal_layer : float
        Share of a gland's perimeter that basal cells cover, 0 to 1.
    nuclear_size : float
        Mean radius of a secretory nucleus, um.
    hyperchromasia : float
        Concentration of haematoxylin in secretory nuclei.
    nucleolar_prominence : float
        Share of secretory nuclei with a nucleolus, and its size, 0 to 1.
    pleomorphism : float
        Spread of the size of secretory nuclei, as a share of the radius.
    nuclear_spacing : float
        Arc from one secretory nucleus to the next, um.
    stroma_cellularity : float
        Spindle nuclei per mm2.
    inflammation : float
        Lymphocytes per mm2.
    fibre_angle : float
        Direction of the stroma's fibres, rad.
    haematoxylin, eosin : float
        Amounts of stain, relative to the mean of the development cohort.
    stain_hue : float
        Turn of both stain vectors from blue towards red, rad.
    sharpness : float
        1 / standard deviation of the optical point spread, 1/um.

    Examples
    --------
    >>> from dataclasses import replace
    >>> from sdlib.phantoms.histology import draw_tiles, render
    >>> tile = draw_tiles(1, seed=0)[0]
    >>> faded = render(replace(tile, eosin=0.5 * tile.eosin))  # the same tissue, half the eosin
    """

    target: int
    patient: str
    cohort: str
    scanner: str
    centre: str
    seed: int
    gland_size: float
    gland_density: float
    lumen_fraction: float
    folding: float
    basal_layer: float
    nuclear_size: float
    hyperchromasia: float
    nucleolar_prominence: float
    pleomorphism: float
    nuclear_spacing: float
    stroma_cellularity: float
    inflammation: float
    fibre_angle: float
    haematoxylin: float
    eosin: float
    stain_hue: float
    sharpness: float
