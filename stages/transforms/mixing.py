"""MixUp and CutMix: training images mixed with others of their batch, and their labels with them."""

from typing import Any

import cv2
import numpy as np
import numpy.typing as npt

from stages.transforms.affine import Augmentation

Images = npt.NDArray[Any]
Labels = npt.NDArray[np.float32]
Shares = npt.NDArray[np.float64]


def mix(images: Images, labels: Labels, amounts: Augmentation, random: np.random.Generator) -> tuple[Images, Labels]:
    """Return the images `(n, height, width, 3)`, uint8 or float, mixed in pairs, and the labels `(n, classes)` too.

    The label of an image is mixed in the same shares as the image. Partners are a permutation of the batch, so an image
    may meet itself. With both amounts over 0, one draw decides between MixUp and CutMix for the whole batch; with
    neither, all stays as it is.
    """
    if not amounts.mixes:
        return images, labels
    partners = images[order := random.permutation(len(images))]
    is_cut = amounts.cutmix > 0 and (amounts.mixup == 0 or bool(random.integers(2)))
    way, alpha = (cutmix, amounts.cutmix) if is_cut else (mixup, amounts.mixup)
    mixed, shares = way(images, partners, alpha, random)
    kept = shares[:, None].astype(np.float32)
    return mixed, kept * labels + (1 - kept) * labels[order]


def mixup(images: Images, partners: Images, alpha: float, random: np.random.Generator) -> tuple[Images, Shares]:
    """Return weighted means of image and partner, and the images' weights `(n,)`, drawn from Beta(alpha, alpha).

    Zhang et al. 2017, section 2, https://arxiv.org/abs/1710.09412; a weight for each image, while the authors' code has
    one weight for the batch. Integers are rounded to the nearest.
    """
    shares = random.beta(alpha, alpha, size=len(images))
    pairs = zip(images, partners, shares, strict=True)
    # OpenCV: NumPy would go through floats and take 10 times as long for uint8.
    mixed = [cv2.addWeighted(image, share, partner, 1 - share, 0) for image, partner, share in pairs]
    return np.stack(mixed), shares


def cutmix(images: Images, partners: Images, alpha: float, random: np.random.Generator) -> tuple[Images, Shares]:
    """Return images with a box of their partner pasted in at the same place, and the share `(n,)` that stays their own.

    Yun et al. 2019, section 3.1, https://arxiv.org/abs/1905.04899: the box takes the share 1 - Beta(alpha, alpha) of
    the image, lies at a centre drawn uniformly and is cut off at the border. There is a box for each image, while the
    authors' code has one for the batch.
    """
    size = np.array(images.shape[1:3])
    half = np.sqrt(1 - random.beta(alpha, alpha, size=(len(images), 1))) * size / 2  # (n, 2)
    centers = random.uniform(size=half.shape) * size
    starts, ends = (np.rint(np.clip(edge, 0, size)).astype(int) for edge in (centers - half, centers + half))
    mixed = images.copy()
    for image, partner, (top, left), (bottom, right) in zip(mixed, partners, starts, ends, strict=True):
        image[top:bottom, left:right] = partner[top:bottom, left:right]
    return mixed, 1 - (ends - starts).prod(axis=1) / size.prod()
