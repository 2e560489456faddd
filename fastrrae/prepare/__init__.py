"""`fastrrae prepare`: from a data set as it is published to shards that training reads at speed.

listing (celeba, image_folder, cifar10, mnist, svhn) -> image_files -> decode_image -> shards -> manifest
(prepare_records)
"""

from .celeba import list_celeba as list_celeba
from .cifar10 import list_cifar10 as list_cifar10
from .collection import Collection as Collection
from .collection import UnreadableImage as UnreadableImage
from .image_folder import list_images as list_images
from .mnist import list_mnist as list_mnist
from .prepare_records import Prepared as Prepared
from .prepare_records import prepare as prepare
from .svhn import list_svhn as list_svhn
