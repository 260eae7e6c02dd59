"""DICOM files as small as they can be, written by the tests that read them."""

from __future__ import annotations

import numpy as np
from pydicom.dataset import Dataset, FileMetaDataset
from pydicom.sequence import Sequence
from pydicom.uid import (
    DigitalXRayImageStorageForPresentation,
    ExplicitVRLittleEndian,
    generate_uid,
)


def lookup(first, entries, bits, as_bytes=None):
    """An item of a sequence of tables; ``as_bytes`` packs the entries in that NumPy type."""
    item = Dataset()
    count = len(entries) % 65536
    item.add_new("LUTDescriptor", "SS" if first < 0 else "US", [count, first, bits])
    if as_bytes:
        item.add_new("LUTData", "OW", np.asarray(entries, as_bytes).tobytes())
    else:
        item.add_new("LUTData", "US", [int(entry) for entry in entries])
    return Sequence([item])


def film_dataset(stored, bits, photometric="MONOCHROME2", syntax=ExplicitVRLittleEndian, **tags):
    """A data set with the pixels of a film.

    Parameters
    ----------
    stored : numpy.ndarray
        (H, W), signed or unsigned.
    bits : int
        Bits stored, of 8 or 16 allocated.
    photometric, syntax, **tags
        What else is in it.
    """
    signed = int(stored.min()) < 0 or stored.dtype.kind == "i"
    allocated = 8 if bits == 8 else 16
    dataset = Dataset()
    dataset.file_meta = FileMetaDataset()
    dataset.file_meta.TransferSyntaxUID = syntax
    dataset.file_meta.MediaStorageSOPClassUID = DigitalXRayImageStorageForPresentation
    dataset.file_meta.MediaStorageSOPInstanceUID = generate_uid()
    dataset.SOPClassUID = DigitalXRayImageStorageForPresentation
    dataset.SOPInstanceUID = dataset.file_meta.MediaStorageSOPInstanceUID
    dataset.Rows, dataset.Columns = stored.shape
    dataset.SamplesPerPixel = 1
    dataset.PhotometricInterpretation = photometric
    dataset.BitsAllocated, dataset.BitsStored, dataset.HighBit = allocated, bits, bits - 1
    dataset.PixelRepresentation = int(signed)
    for keyword, value in tags.items():
        setattr(dataset, keyword, value)
    kind = f"{'i' if signed else 'u'}{allocated // 8}"
    pixels = np.ascontiguousarray(stored.astype(np.int64).astype(f"<{kind}")).tobytes()
    dataset.add_new("PixelData", "OB" if allocated == 8 else "OW", pixels)
    return dataset


def write_dicom(path, dataset):
    dataset.save_as(path, enforce_file_format=True)
    return path
