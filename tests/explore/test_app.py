"""What the explorer's server answers, and whom."""

import base64
import dataclasses

import numpy as np
import pytest
from starlette.testclient import TestClient

from fastrrae import DataConfig
from fastrrae.explore.app import PAGE, make_app
from fastrrae.explore.explorer import Explorer
from fastrrae.interpolation import points_between


def client_of(run, dataset):
    return TestClient(make_app(Explorer(run, dataset)), base_url="http://127.0.0.1:8000")


@pytest.fixture(scope="module")
def client(digits):
    return client_of(*digits)


def values_of(answer, shape):
    return np.frombuffer(base64.b64decode(answer["values"]), "<f4").reshape(shape)


def test_the_page_and_all_that_it_needs_come_from_here(client):
    page = client.get("/")
    assert page.headers["content-type"].startswith("text/html")
    assert "<h2" in page.text
    for name in ("explorer.css", "explorer.js", "icon.svg"):
        assert name in page.text
        assert client.get(f"/{name}").status_code == 200
    for path in PAGE.iterdir():
        assert "//" not in path.read_text().replace("http://www.w3.org/2000/svg", "").replace("// ", "")
    assert client.get("/../app.py").status_code == 404
    assert client.get("/%2e%2e/app.py").status_code == 404


def test_the_run_is_described(client, digits):
    run, _ = digits
    found = client.get("/api/run").json()
    assert (found["rank"], found["shape"]) == (4, [8, 8, 1])
    assert found["drawing"]["kind"] == "image"
    assert found["drawing"]["colours"] == "grey"
    assert found["neighbours"] == "training"
    assert len(found["points"]) == 1437
    colouring = found["colourings"][0]
    assert colouring["names"] == [str(digit) for digit in range(10)]
    np.testing.assert_array_equal(colouring["values"], run.training_labels[found["points"]])
    for column, coefficient in zip(run.training_coefficients.T, found["coefficients"], strict=True):
        assert coefficient["low"] < column.min() <= coefficient["mean"] <= column.max() < coefficient["high"]


@pytest.mark.parametrize(("sign", "colours"), [(1, "diverging"), (0, "viridis")])
def test_fields_are_coloured_by_their_signs(digits, sign, colours):
    run, dataset = digits
    own = dataclasses.replace(run, config=dataclasses.replace(run.config, data=DataConfig()))
    fields = dataclasses.replace(dataset, train=dataset.train - sign * dataset.train[:, ::-1])
    assert client_of(own, fields).get("/api/run").json()["drawing"]["colours"] == colours


def test_the_scatter_is_of_two_coefficients(client, digits):
    found = client.get("/api/points", params={"x": 3, "y": 1}).json()
    np.testing.assert_allclose(found["x"], digits[0].training_coefficients[:, 3])
    np.testing.assert_allclose(found["y"], digits[0].training_coefficients[:, 1])
    one = client.get("/api/coefficients", params={"index": 7}).json()
    np.testing.assert_allclose(one["coefficients"], digits[0].training_coefficients[7])


def test_a_decoded_point_is_that_of_the_run(client, digits):
    run, _ = digits
    point = run.training_coefficients[5]
    answer = client.post("/api/decode", json={"coefficients": point.tolist()}).json()
    np.testing.assert_allclose(values_of(answer, (8, 8, 1)), run.decode(point[None])[0], atol=1e-5)
    assert answer["milliseconds"] > 0


@pytest.mark.parametrize("method", ["linear", "spherical"])
def test_a_point_between_two(client, digits, method):
    a, b = digits[0].training_coefficients[:2]
    path = {"a": a.tolist(), "b": b.tolist(), "weight": 0.25, "method": method}
    answer = client.post("/api/decode", json={"between": path}).json()
    expected = points_between(a, b, np.array([0.25]), method)
    np.testing.assert_allclose(answer["coefficients"], expected[0], rtol=1e-5)
    np.testing.assert_allclose(values_of(answer, (8, 8, 1)), digits[0].decode(expected)[0], atol=1e-5)


def test_the_nearest_training_samples(client, digits):
    run, dataset = digits
    found = client.post("/api/nearest", json={"coefficients": run.training_coefficients[11].tolist()}).json()
    distances = np.linalg.norm(run.training_coefficients - run.training_coefficients[11], axis=1)
    assert found["indices"][0] == 11
    np.testing.assert_allclose(found["distances"], np.sort(distances)[:6], rtol=1e-5)
    np.testing.assert_array_equal(values_of(found, (6, 8, 8, 1)), dataset.train[found["indices"]])
    assert found["labels"] == [str(dataset.labels["train"][index]) for index in found["indices"]]


def test_test_samples(client, digits):
    run, dataset = digits
    found = client.get("/api/samples", params={"split": "test", "indices": "4,0"}).json()
    np.testing.assert_array_equal(values_of(found, (2, 8, 8, 1)), run.examples[[4, 0]])
    np.testing.assert_allclose(found["coefficients"], run.coefficients(run.examples[[4, 0]]), atol=1e-5)
    assert found["labels"] == [str(dataset.labels["test"][index]) for index in (4, 0)]


def test_a_table_has_parameters_and_scaled_values(table):
    run, dataset = table
    found = client_of(run, dataset).get("/api/run").json()
    label, *parameters = found["colourings"]
    assert label["names"] == ["cold", "hot"]
    assert [colouring["name"] for colouring in parameters] == ["time", "mass"]
    np.testing.assert_allclose(parameters[1]["values"], dataset.parameters["train"][found["points"], 1])
    np.testing.assert_allclose(found["drawing"]["scaled"]["offset"], run.normalisation.offset)
    scaled = (dataset.train - np.array(run.normalisation.offset)) / np.array(run.normalisation.scale)
    np.testing.assert_allclose(found["drawing"]["scaled"]["limits"], np.percentile(scaled, [0.5, 99.5]))


def test_a_parameter_that_is_not_known_of_a_sample_is_null(table):
    run, dataset = table
    numbers = dataset.parameters["train"].copy()
    numbers[0, 0] = np.nan
    changed = dataclasses.replace(dataset, parameters={**dataset.parameters, "train": numbers})
    values = client_of(run, changed).get("/api/run").json()["colourings"][1]["values"]
    assert values[0] is None
    assert None not in values[1:]


def test_without_the_data_neighbours_are_test_samples(signals):
    run, _ = signals
    client = client_of(run, None)
    found = client.get("/api/run").json()
    assert (found["neighbours"], found["colourings"], found["drawing"]["kind"]) == ("test", [], "signal")
    point = run.coefficients(run.examples[3:4])[0]
    nearest = client.post("/api/nearest", json={"coefficients": point.tolist()}).json()
    assert nearest["split"] == "test"
    assert nearest["indices"][0] == 3
    refused = client.get("/api/samples", params={"split": "training", "indices": "0"})
    assert refused.status_code == 400
    assert "the data of the run was not found" in refused.json()["error"]


@pytest.mark.parametrize(
    ("path", "body", "said"),
    [
        ("decode", {"coefficients": [0, 0, 0]}, "`coefficients` must be 4 finite numbers"),
        ("decode", {"coefficients": [0, 0, 0, 1e200]}, "`coefficients` must be 4 finite numbers"),
        ("decode", {"coefficients": [0, 0, 0, "1"]}, "`coefficients` must be a list of numbers"),
        ("decode", {"coefficients": [0, 0, 0, True]}, "`coefficients` must be a list of numbers"),
        ("decode", {}, "`coefficients` must be a list of numbers"),
        ("decode", {"between": [1]}, "`between` must be an object"),
        ("decode", {"between": {"a": [0] * 4, "b": [1] * 4}}, "`weight` must be a number"),
        ("decode", {"between": {"a": [0] * 4, "b": [1] * 4, "weight": 2}}, "`weight` must be from 0 to 1"),
        ("decode", {"between": {"a": [0] * 4, "b": [1] * 4, "weight": 0, "method": []}}, "`method` must be linear or"),
        ("decode", [], "must be an object"),
        ("nearest", {"coefficients": None}, "`coefficients` must be a list of numbers"),
        ("points?x=4&y=0", None, "`x` must be from 0 to 3; got '4'"),
        ("points?x=1", None, "`y` must be from 0 to 3; got 'None'"),
        ("coefficients?index=-1", None, "`index` must be from 0 to 1436"),
        ("samples?split=other&indices=0", None, "`split` must be training or test"),
        ("samples?split=test&indices=32", None, "`indices` must be from 0 to 31"),
        ("samples?split=test&indices=²", None, "`indices` must be from 0 to 31"),
        ("samples?split=test&indices=" + "0," * 64, None, "`indices` must be at most 64"),
    ],
)
def test_bad_values_are_named(client, path, body, said):
    answer = client.get(f"/api/{path}") if body is None else client.post(f"/api/{path}", json=body)
    assert answer.status_code == 400
    assert said in answer.json()["error"]


@pytest.mark.parametrize(
    "content", [b"", b"{", b"\xff", b'{"coefficients": [NaN, 0, 0, 0]}', b"[" * 100_000, b" " * 2**21]
)
def test_bodies_that_are_no_json(client, content):
    answer = client.post("/api/decode", content=content)
    assert answer.status_code == 400
    assert "error" in answer.json()


@pytest.mark.parametrize("host", ["evil.example", "127.0.0.1.evil.example", "192.168.0.7:8000", ""])
def test_other_hosts_are_refused(client, host):
    for path in ("/", "/api/run"):
        assert client.get(path, headers={"Host": host}).status_code == 400


REFUSED_HEADERS = [
    {"Origin": "http://evil.example"},
    {"Origin": "null"},
    {"Origin": "https://127.0.0.1:8000"},
    {"Origin": "http://127.0.0.1:9000"},
    {"Origin": "http://localhost:8000"},  # the page was opened by the other name: the two are two origins
    {"Sec-Fetch-Site": "cross-site"},
    {"Sec-Fetch-Site": "same-site"},  # another port of this machine
]


@pytest.mark.parametrize("headers", REFUSED_HEADERS, ids=lambda headers: "-".join(headers.values()))
def test_other_origins_are_refused(client, headers):
    for answer in (client.get("/api/run", headers=headers), client.post("/api/decode", json={}, headers=headers)):
        assert answer.status_code == 403
        assert "answers its own page alone" in answer.text
        assert "access-control-allow-origin" not in answer.headers


@pytest.mark.parametrize("name", ["127.0.0.1:8000", "localhost:8000"])
def test_its_own_page_is_answered(client, name):
    headers = {"Host": name, "Origin": f"http://{name}", "Sec-Fetch-Site": "same-origin"}
    assert client.get("/api/run", headers=headers).status_code == 200


def test_every_answer_is_protected(client):
    for answer in (
        client.get("/"),
        client.get("/api/run"),
        client.get("/no"),
        client.get("/", headers={"Origin": "x"}),
    ):
        assert answer.headers["content-security-policy"].startswith("default-src 'self'")
        assert answer.headers["x-content-type-options"] == "nosniff"
        assert answer.headers["cache-control"] == "no-store"
