"""Features of both variants of Inception-v3 against PyTorch's networks, with the same random weights."""

import numpy as np
import pytest

from fastrrae.features.inception import Inception

torch = pytest.importorskip("torch", reason="the reference is PyTorch's network")
inception = pytest.importorskip("torchvision.models.inception", reason="the reference is torchvision's network")

pytestmark = pytest.mark.slow


def torchvision_network():
    return inception.Inception3(num_classes=1000, aux_logits=False, init_weights=False)


def fid_network():
    """That of the original FID, as `pytorch-fid` builds it: other poolings in some blocks, 1008 classes."""
    fid = pytest.importorskip("pytorch_fid.inception", reason="the reference of the FID's own variant")
    network = inception.Inception3(num_classes=1008, aux_logits=False, init_weights=False)
    network.Mixed_5b = fid.FIDInceptionA(192, pool_features=32)
    network.Mixed_5c = fid.FIDInceptionA(256, pool_features=64)
    network.Mixed_5d = fid.FIDInceptionA(288, pool_features=64)
    for name, width in (("6b", 128), ("6c", 160), ("6d", 160), ("6e", 192)):
        setattr(network, f"Mixed_{name}", fid.FIDInceptionC(768, channels_7x7=width))
    network.Mixed_7b = fid.FIDInceptionE_1(1280)
    network.Mixed_7c = fid.FIDInceptionE_2(2048)
    return network


def randomise(network):
    """Weights and statistics under which activations neither die nor explode, and no two channels are alike."""
    generator = torch.Generator().manual_seed(0)

    def normal(like):
        return torch.randn(like.shape, generator=generator)

    for module in network.modules():
        if isinstance(module, torch.nn.Conv2d):
            fan_in = module.weight[0].numel()
            module.weight.data = normal(module.weight) * (2 / fan_in) ** 0.5
        if isinstance(module, torch.nn.BatchNorm2d):
            module.weight.data = 1 + 0.2 * normal(module.weight)
            module.bias.data = 0.2 * normal(module.bias)
            module.running_mean = 0.2 * normal(module.running_mean)
            module.running_var = 1 + 0.2 * normal(module.running_var).abs()
    return network.eval()


def pooled(network, images):
    """The input of the last layer, for images (count, height, width, 3) of values from 0 to 255."""
    x = torch.from_numpy(images.astype(np.float32)).permute(0, 3, 1, 2) / 127.5 - 1
    x = torch.nn.functional.interpolate(x, size=(299, 299), mode="bilinear", align_corners=False)
    kept = []
    network.fc.register_forward_pre_hook(lambda module, inputs: kept.append(inputs[0]))
    with torch.no_grad():
        network(x)
    return kept[0].numpy()


@pytest.mark.parametrize(("variant", "make"), [("torchvision", torchvision_network), ("fid", fid_network)])
def test_features_are_those_of_pytorch(tmp_path, variant, make):
    network = randomise(make())
    arrays = {name: value.numpy() for name, value in network.state_dict().items()}
    ours = Inception.from_arrays(arrays, tmp_path / "inception.npz")
    assert ours.variant == variant
    images = np.random.default_rng(0).integers(0, 256, (4, 32, 32, 3)).astype(np.uint8)
    expected = pooled(network, images)
    assert expected.std() > 0.01 * abs(expected).max()  # nothing has died on the way
    np.testing.assert_allclose(ours(images), expected, rtol=1e-3, atol=1e-4 * abs(expected).max())
