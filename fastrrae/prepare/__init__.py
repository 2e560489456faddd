"""`fastrrae prepare`: from a data set as it is published to shards that training reads at speed.

listing (celeba, images, cifar10, mnist) -> files -> crop -> shards -> manifest (write)
"""

from .celeba import list_celeba as list_celeba
from .cifar10 import list_cifar10 as list_cifar10
from .collection import Collection as Collection
from .images import list_images as list_images
from .mnist import list_mnist as list_mnist
from .write import prepare as prepare
