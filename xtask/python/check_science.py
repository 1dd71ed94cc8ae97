"""FITS files of astropy and DICOM files of pydicom and GDCM are the same images as NumPy arrays of the values that they mean: the same
digest in the settings of a run. Needs a build that reads both formats: check_science.py LATENTS."""

import os
import subprocess
import sys
import tempfile
import warnings
from pathlib import Path

import gdcm
import numpy as np
from astropy.io import fits
from pydicom.dataset import Dataset, FileMetaDataset
from pydicom.uid import (
    CTImageStorage,
    ExplicitVRBigEndian,
    ExplicitVRLittleEndian,
    ImplicitVRLittleEndian,
    JPEGLosslessSV1,
    RLELossless,
    generate_uid,
)

latents = Path(sys.argv[1]).resolve()
warnings.filterwarnings("ignore")
random = np.random.default_rng(1)
TRAIN, TEST, HEIGHT, WIDTH = 6, 2, 12, 16
SHAPE = (HEIGHT, WIDTH)


def primary(path, array, **cards):
    unit = fits.PrimaryHDU(array)
    unit.header.update(cards)
    unit.writeto(path)


def extension(path, array):
    table = fits.BinTableHDU.from_columns([fits.Column("a", "J", array=np.arange(900))])
    fits.HDUList([fits.PrimaryHDU(), table, fits.ImageHDU(array)]).writeto(path)


def scaled(path, array):
    unit = fits.PrimaryHDU(array)
    unit.scale("int16", bscale=0.25, bzero=-100.0)
    unit.writeto(path)


def dicom(path, array, syntax=ExplicitVRLittleEndian, kind="MONOCHROME2", stored=16, frames=None, planar=0, **more):
    data = Dataset()
    data.file_meta = FileMetaDataset()
    data.file_meta.TransferSyntaxUID = JPEGLosslessSV1 if syntax is JPEGLosslessSV1 else syntax
    data.file_meta.MediaStorageSOPClassUID = data.SOPClassUID = CTImageStorage
    data.file_meta.MediaStorageSOPInstanceUID = data.SOPInstanceUID = generate_uid()
    data.PatientName, data.SpecificCharacterSet = "Müller^Ä", "ISO_IR 100"
    data.Rows, data.Columns = SHAPE
    data.SamplesPerPixel = 1 if kind.startswith("MONO") else 3
    if data.SamplesPerPixel == 3:
        data.PlanarConfiguration = planar
    data.PhotometricInterpretation = kind
    data.BitsAllocated = 8 * array.dtype.itemsize
    data.BitsStored, data.HighBit = stored, stored - 1
    data.PixelRepresentation = int(array.dtype.kind == "i")
    if frames:
        data.NumberOfFrames = frames
    for name, value in more.items():
        setattr(data, name, value)
    compressed = syntax in (RLELossless, JPEGLosslessSV1)
    order = ">" if syntax == ExplicitVRBigEndian else "<"
    data.PixelData = array.astype(array.dtype.newbyteorder(order)).tobytes()
    data["PixelData"].VR = "OW" if data.BitsAllocated > 8 else "OB"
    if compressed:
        data.file_meta.TransferSyntaxUID = ExplicitVRLittleEndian
    if syntax == RLELossless:
        data.compress(RLELossless)
    data.save_as(path, enforce_file_format=True)
    if syntax == JPEGLosslessSV1:
        lossless_jpeg(path)


def lossless_jpeg(path):
    reader = gdcm.ImageReader()
    reader.SetFileName(str(path))
    assert reader.Read()
    change = gdcm.ImageChangeTransferSyntax()
    change.SetTransferSyntax(gdcm.TransferSyntax(gdcm.TransferSyntax.JPEGLosslessProcess14_1))
    change.SetInput(reader.GetImage())
    assert change.Change()
    writer = gdcm.ImageWriter()
    writer.SetFileName(str(path))
    writer.SetFile(reader.GetFile())
    writer.SetImage(change.GetOutput())
    assert writer.Write()


def integers(dtype, low=None, high=None, shape=SHAPE):
    info = np.iinfo(dtype)
    low, high = info.min if low is None else low, info.max if high is None else high
    return lambda: random.integers(low, high, shape, dtype, endpoint=True)


def numbers(dtype):
    return lambda: np.round(random.normal(0, 900, SHAPE) * 8).astype(dtype) / np.dtype(dtype).type(8)


def hounsfield(array):
    return array * 0.5 - 1024


# A name, what makes an array, what writes it, the values that it means, and their range.
upside_down = np.flipud
frames = (3, *SHAPE)
colour = (*SHAPE, 3)
CASES = [
    ("byte.fits", integers("u1"), primary, upside_down, None),
    ("signed.fits", integers("i2"), primary, upside_down, "-32768..32767"),
    ("unsigned.fits", integers("u2"), primary, upside_down, "0..65535"),
    ("long.fit", integers("i4", -(2**23), 2**23), primary, upside_down, "-8388608..8388608"),
    ("longer.fits", integers("i8", -(2**23), 2**23), primary, upside_down, "-8388608..8388608"),
    ("float.fts", numbers("f4"), primary, upside_down, "-4000..4000"),
    ("double.fits", numbers("f8"), primary, upside_down, "-4000..4000"),
    ("scaled.fits", lambda: integers("i2", -4000, 4000)() * 0.25 - 100.0, scaled, upside_down, "-1100..900"),
    ("extension.fits", integers("i2"), extension, upside_down, "-32768..32767"),
    ("cube.fits", integers("u2", shape=frames), primary, lambda a: a[:, ::-1], "0..65535"),
    ("grey.dcm", integers("u2", 0, 4095), lambda p, a: dicom(p, a, stored=12), None, "0..4095"),
    ("byte.dcm", integers("u1"), lambda p, a: dicom(p, a, stored=8), None, None),
    ("implicit.dicom", integers("u2"), lambda p, a: dicom(p, a, ImplicitVRLittleEndian), None, "0..65535"),
    ("big.dcm", integers("u2"), lambda p, a: dicom(p, a, ExplicitVRBigEndian), None, "0..65535"),
    ("signed.dcm", integers("i2"), dicom, None, "-32768..32767"),
    (
        "rescaled.dcm",
        integers("u2", 0, 4095),
        lambda p, a: dicom(p, a, stored=12, RescaleSlope="0.5", RescaleIntercept="-1024"),
        hounsfield,
        "-1024..1024",
    ),
    ("inverted.dcm", integers("u2", 0, 4095), lambda p, a: dicom(p, a, kind="MONOCHROME1", stored=12), lambda a: 4095 - a, "0..4095"),
    ("frames.dcm", integers("u2", shape=frames), lambda p, a: dicom(p, a, frames=3), None, "0..65535"),
    ("colour.dcm", integers("u1", shape=colour), lambda p, a: dicom(p, a, kind="RGB", stored=8), lambda a: a.transpose(2, 0, 1), None),
    ("planes.dcm", integers("u1", shape=frames), lambda p, a: dicom(p, a, kind="RGB", stored=8, planar=1), None, None),
    ("runs.dcm", integers("u2"), lambda p, a: dicom(p, a, RLELossless), None, "0..65535"),
    ("runs-colour.dcm", integers("u1", shape=colour), lambda p, a: dicom(p, a, RLELossless, "RGB", 8), lambda a: a.transpose(2, 0, 1), None),
    ("runs-frames.dcm", integers("u1", shape=frames), lambda p, a: dicom(p, a, RLELossless, stored=8, frames=3), None, None),
    ("jpeg.dcm", integers("u2"), lambda p, a: dicom(p, a, JPEGLosslessSV1), None, "0..65535"),
    ("jpeg-12.dcm", integers("u2", 0, 4095), lambda p, a: dicom(p, a, JPEGLosslessSV1, stored=12), None, "0..4095"),
    ("jpeg-signed.dcm", integers("i2"), lambda p, a: dicom(p, a, JPEGLosslessSV1), None, "-32768..32767"),
    ("jpeg-frames.dcm", integers("u1", shape=frames), lambda p, a: dicom(p, a, JPEGLosslessSV1, stored=8, frames=3), None, None),
]


def check(case, scratch):
    name, make, write, meaning, values = case
    folder = Path(scratch) / f"{name}-folder"
    parts = {}
    for part, count in [("train", TRAIN), ("test", TEST)]:
        (folder / part).mkdir(parents=True)
        images = []
        for i in range(count):
            array = make()
            write(folder / part / f"{i}-{name}", array.copy())
            image = meaning(array) if meaning else array
            # Frames are images of their own, and three planes of a colour are one.
            images.extend(image if "cube" in name or "frames" in name else [image])
        parts[f"x_{part}"] = np.stack(images)
    arrays = Path(scratch) / f"{name}.npz"
    np.savez(arrays, **parts)

    def digest(data, out):
        environment = {**os.environ, "LATENTS_CACHE": scratch, "LATENTS_OFFLINE": "1"}
        chosen = ["--range", values] if values else []
        call = [latents, "train", "ae", "--data", data, *chosen, "--epochs", "1", "--out", out]
        done = subprocess.run(call, capture_output=True, text=True, cwd=scratch, env=environment)
        assert done.returncode == 0, f"{name}: {done.stderr}"
        config = (Path(scratch) / out / "config.toml").read_text()
        (line,) = [line for line in config.splitlines() if line.startswith("digest")]
        return line

    found, expected = digest(str(folder), f"{name}-files"), digest(str(arrays), f"{name}-arrays")
    assert found == expected, f"{name}: other images than its arrays"


with tempfile.TemporaryDirectory() as scratch:
    for case in CASES:
        check(case, scratch)
print(f"science: {len(CASES)} kinds of FITS and DICOM files are the images of their arrays")
