"""Priors: their densities against SciPy, numerical integration and draws; KL terms by one draw against many."""

# pyright: reportArgumentType=false, reportAttributeAccessIssue=false, reportOptionalMemberAccess=false

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from flax import nnx
from scipy.stats import multivariate_normal

from fastrrae import GMMDAE, GMVAE, MODELS, InjectiveFlow, InputError, VampVAE, build_model
from fastrrae.densities import GaussianMixture, OneComponent
from fastrrae.evaluation.model_metrics import kl_by_draws
from fastrrae.models.base import TrainingContext
from fastrrae.models.iop_vae import ImplicitPrior
from fastrrae.models.mixture_prior import MixturePrior, spread_directions
from fastrrae.models.priors import Prior, StandardNormal, diagonal_normal_log_prob
from fastrrae.models.trainable_mixture import TrainableMixture
from fastrrae.models.vamp_vae import VampPrior

RNG = np.random.default_rng(0)
Z = RNG.standard_normal((7, 3)).astype(np.float32)
COVARIANCES = tuple(tuple(map(tuple, (a @ a.T + np.eye(3)).tolist())) for a in RNG.standard_normal((2, 3, 3)))
MIXED = MixturePrior(3, 2, 2.0, (3.0, 1.0), COVARIANCES)


def trainable():
    mixture = TrainableMixture(3, 4, rngs=nnx.Rngs(0))
    mixture.logits.set_value(jnp.array([0.0, 1.0, -1.0, 0.5]))
    mixture.logvars.set_value(jnp.asarray(0.3 * RNG.standard_normal((4, 3)), jnp.float32))
    return mixture


def vamp():
    means, logvars = RNG.standard_normal((2, 5, 3)).astype(np.float32)
    return VampPrior(jnp.asarray(2 * means), jnp.asarray(logvars))


def by_scipy(shares, means, covariances, z=Z):
    each = [s * multivariate_normal(m, c).pdf(z) for s, m, c in zip(shares, means, covariances, strict=True)]
    return np.log(np.sum(each, axis=0))


def diagonals(logvars):
    return [np.diag(row) for row in np.exp(np.asarray(logvars))]


def test_densities_are_those_of_scipy():
    for prior in (MIXED, trainable(), vamp(), StandardNormal(3)):
        assert isinstance(prior, Prior)
    np.testing.assert_allclose(StandardNormal(3).log_prob(Z), multivariate_normal(np.zeros(3)).logpdf(Z), rtol=1e-5)
    np.testing.assert_allclose(MIXED.log_prob(Z), by_scipy([0.75, 0.25], MIXED.centres, COVARIANCES), rtol=1e-4)
    mixture = trainable()
    shares = np.asarray(jax.nn.softmax(mixture.logits[...]))
    expected = by_scipy(shares, np.asarray(mixture.means[...]), diagonals(mixture.logvars[...]))
    np.testing.assert_allclose(mixture.log_prob(Z), expected, rtol=1e-4)
    prior = vamp()
    expected = by_scipy([0.2] * 5, np.asarray(prior.means), diagonals(prior.logvars))
    np.testing.assert_allclose(prior.log_prob(Z), expected, rtol=1e-4)
    fitted = GaussianMixture.fit(RNG.standard_normal((200, 3)), 2)
    covariances = fitted.factors @ np.swapaxes(fitted.factors, 1, 2)
    np.testing.assert_allclose(
        fitted.log_prob(jnp.asarray(Z)), by_scipy(fitted.weights, fitted.means, covariances), rtol=1e-4
    )


@pytest.mark.parametrize(
    "prior", [MIXED, trainable(), vamp(), StandardNormal(3)], ids=lambda prior: type(prior).__name__
)
def test_draws_are_distributed_as_the_density_says(prior):
    """The mean of p / r over draws of r is one for any density p: here r is the prior and p a normal of its moments."""
    draws = prior.sample(40_000, seed=1)
    narrow = multivariate_normal(draws.mean(axis=0), np.cov(draws.T) / 2)
    ratio = np.exp(narrow.logpdf(draws) - np.asarray(prior.log_prob(jnp.asarray(draws)), np.float64))
    np.testing.assert_allclose(ratio.mean(), 1, atol=0.05)
    np.testing.assert_array_equal(draws[:10], prior.sample(40_000, seed=1)[:10])


def test_moments_and_marginals_of_a_mixture_with_weights_and_covariances():
    draws = MIXED.sample(200_000, seed=3)
    np.testing.assert_allclose(np.cov(draws.T), MIXED.covariance, rtol=0.03, atol=0.03)
    points = np.array([[-1.0, 0.0, 2.0], [1.0, 1.0, -0.5]], np.float32)
    empirical = [(draws <= point).mean(axis=0) for point in points]
    np.testing.assert_allclose(MIXED.marginal_cdf(jnp.asarray(points)), empirical, atol=0.01)


def test_more_components_than_coordinates_lie_in_well_spread_directions():
    """Six points in three dimensions repel to an octahedron, four to a tetrahedron."""
    for count, cosine in ((6, 0.0), (4, -1 / 3)):
        points = spread_directions(count, 3)
        np.testing.assert_allclose(np.linalg.norm(points, axis=1), 1)
        np.testing.assert_allclose((points @ points.T - 2 * np.eye(count)).max(), cosine, atol=0.02)
    prior = MixturePrior(2, 5, 3.0)
    np.testing.assert_allclose(np.linalg.norm(prior.centres, axis=1), 3)
    np.testing.assert_allclose(MixturePrior(1, 2, 3.0).centres, [[3.0], [-3.0]])
    draws = np.stack([prior.sample_component(index, 4000, seed=0).mean(axis=0) for index in range(5)])
    np.testing.assert_allclose(draws, prior.centres, atol=0.1)
    np.testing.assert_array_equal(prior.assign(prior.centres), range(5))


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"weights": (1.0,)}, "`weights` must be as many as `components`, 2; got 1"),
        ({"weights": (1.0, 0.0)}, "`weights` must be positive"),
        ({"covariances": (((1.0,),),) * 2}, r"must have the shape \(3, 3\)"),
        ({"covariances": (tuple(map(tuple, -np.eye(3))),) * 2}, "positive definite"),
    ],
)
def test_a_mixture_that_is_none_is_refused(options, message):
    with pytest.raises(InputError, match=message):
        MixturePrior(3, 2, 1.0, **options)
    with pytest.raises(
        InputError, match=r"`model\.component_weights` must be as many as `model\.components`, 10; got 2"
    ):
        GMMDAE(component_weights=(1.0, 2.0))
    with pytest.raises(InputError, match=r"`model\.projections` must be at most `model\.rank`, 4"):
        InjectiveFlow(rank=4, projections=5)


def test_one_component_is_drawn_from_and_others_refused():
    mixture = trainable()
    draws = OneComponent(mixture, 2).sample(5000, seed=0)
    np.testing.assert_allclose(draws.mean(axis=0), mixture.means[...][2], atol=0.1)
    with pytest.raises(InputError, match="`component` must be from 0 to 3, a component of the mixture; got 4"):
        OneComponent(mixture, 4)
    with pytest.raises(InputError, match="`component` needs a density that is a mixture"):
        OneComponent(StandardNormal(3), 0)


def test_an_implicit_prior_integrates_to_one_and_is_drawn_from():
    prior = ImplicitPrior(2, 8, rngs=nnx.Rngs(3))
    last = prior.log_ratio.network.layers[-1]
    last.kernel.set_value(8 * last.kernel[...])  # pyright: ignore[reportAttributeAccessIssue]
    side = np.linspace(-6, 6, 120, dtype=np.float32)
    grid = np.stack(np.meshgrid(side, side, indexing="ij"), axis=-1).reshape(-1, 2)
    density = np.exp(np.asarray(prior.log_prob(jnp.asarray(grid)))) * (side[1] - side[0]) ** 2
    np.testing.assert_allclose(density.sum(), 1, atol=0.02)
    mean = density @ grid
    assert np.linalg.norm(mean) > 0.2  # not the standard normal
    np.testing.assert_allclose(prior.sample(20_000, seed=0).mean(axis=0), mean, atol=0.06)


@pytest.mark.parametrize("name", ["vamp-vae", "gm-vae", "flow-vae", "iaf-vae"])
def test_the_kl_term_by_one_draw_is_that_of_many_draws(name):
    """Against log q - log p averaged over 8000 draws of each sample's posterior, the prior taken apart."""
    options = MODELS[name](rank=3)
    model = build_model(options, (6,), seed=1)
    x = np.repeat(RNG.standard_normal((2, 6)).astype(np.float32), 8000, axis=0)
    penalty_of = options.penalties()["kl"]

    @nnx.jit
    def everything(model, x):
        output = model(x)
        return output, penalty_of(model, x, output)

    output, penalty = everything(model, jnp.asarray(x))
    penalty = float(penalty) / len(x)
    draws = np.asarray(output.latent.z)
    prior = model.prior
    assert isinstance(prior, Prior)
    log_p = np.asarray(prior.log_prob(jnp.asarray(draws)))
    if name == "iaf-vae":  # the entropy of the posterior: that of the Gaussian, and the change of volume
        pairs = np.split(draws, 2)
        fitted = [GaussianMixture.fit(pair, 1).log_prob(jnp.asarray(pair)) for pair in pairs]
        expected = float(np.mean(np.concatenate(fitted) - log_p))
        np.testing.assert_allclose(penalty, expected, atol=0.1)  # a step that starts close to the identity
        return
    mean, logvar = output.latent.mean, output.latent.logvar
    assert logvar is not None
    entropy = float(jnp.mean(0.5 * jnp.sum(logvar + 1 + np.log(2 * np.pi), axis=1)))
    np.testing.assert_allclose(penalty, -entropy - log_p.mean(), atol=0.06)
    np.testing.assert_allclose(penalty, kl_by_draws(np.asarray(mean), np.asarray(logvar), prior), atol=0.06)
    assert penalty > -0.06


def test_the_prior_of_one_component_gives_the_kl_term_of_the_vae():
    mean, logvar = np.array([[[1.0]], [[0.3]]]) * RNG.standard_normal((2, 4, 3)).astype(np.float32)
    many = np.repeat(mean, 5000, axis=0), np.repeat(logvar, 5000, axis=0)
    exact = -0.5 * np.mean(np.sum(1 + logvar - mean**2 - np.exp(logvar), axis=1))
    mixture = TrainableMixture(3, 1, spread=0.0, rngs=nnx.Rngs(0))
    np.testing.assert_allclose(kl_by_draws(*many, mixture), exact, atol=0.05)
    np.testing.assert_allclose(kl_by_draws(*many, StandardNormal(3)), exact, atol=0.05)


def test_a_vamp_prior_is_the_mean_of_the_posteriors_of_its_inputs():
    model = build_model(VampVAE(rank=3, pseudo_inputs=4), (6,))
    model.eval()
    latent = model(model.bottleneck.pseudo_inputs[...]).latent
    each = jnp.stack([diagonal_normal_log_prob(Z, m, v) for m, v in zip(latent.mean, latent.logvar, strict=True)])
    expected = jax.nn.logsumexp(each, axis=0) - np.log(4)
    np.testing.assert_allclose(model.prior.log_prob(jnp.asarray(Z)), expected, rtol=1e-5)

    gradients = nnx.jit(nnx.grad(lambda model: jnp.sum(model.prior.log_prob(jnp.asarray(Z)))))(model)
    assert any(np.any(leaf) for leaf in jax.tree.leaves(gradients["encoder"]))  # the prior trains the encoder too
    assert np.any(gradients["bottleneck"]["pseudo_inputs"][...])


def test_pseudo_inputs_start_as_training_samples_once():
    model = build_model(VampVAE(rank=3, pseudo_inputs=4), (6,))
    (event,) = VampVAE(rank=3, pseudo_inputs=4).events(10)
    assert event.before_step == 1
    for value in (1.0, 2.0):
        samples = np.full((4, 6), value, np.float32)

        def from_main(compute, shape):
            return compute()

        event.apply(model, TrainingContext(0, samples.copy, lambda count, rows=samples: rows[:count], from_main))
        np.testing.assert_array_equal(model.bottleneck.pseudo_inputs[...], 1.0)


def test_components_of_a_trained_prior_can_be_clusters():
    prior = GMVAE(rank=3, components=4).bottleneck(nnx.Rngs(0)).prior
    assert isinstance(prior, TrainableMixture)
    np.testing.assert_array_equal(prior.assign(np.asarray(prior.means[...])), range(4))
