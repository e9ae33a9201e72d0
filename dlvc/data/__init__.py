"""Images and labels: CIFAR-10 if it can be had, else the drawn set Sketch-10."""

from dlvc.data.augment import PADDING, Draws, crop_and_mirror, epoch_generator, random_draws
from dlvc.data.batches import prepare_batches, split_batches
from dlvc.data.download import DownloadError, RemoteFile, download_file
from dlvc.data.loading import describe_data, fetch_cifar10, load_data
from dlvc.data.pixels import check_pixels, to_float
from dlvc.data.sketch10.sketches import Factors, draw_sketches
from dlvc.data.splits import CLASSES, ImageData, Split, check_labels, content_digest
