"""The explorer in a real browser without a window, by clicks and keys."""

import shutil
import threading
import time

import numpy as np
import pytest
import uvicorn
from PIL import Image

from fastrrae.evaluation.coefficient_files import read_coefficients
from fastrrae.explore import serve
from fastrrae.explore.app import make_app
from fastrrae.explore.explorer import Explorer
from fastrrae.interpolation import points_between

pytestmark = pytest.mark.slow
NAMES = ("chromium", "chromium-browser", "google-chrome", "google-chrome-stable", "microsoft-edge")
EXECUTABLE = next((found for name in NAMES if (found := shutil.which(name))), None)
if EXECUTABLE is None:
    pytest.skip(f"no browser was found: {', '.join(NAMES)}", allow_module_level=True)
WIDE, PHONE = {"width": 1200, "height": 900}, {"width": 400, "height": 800}


@pytest.fixture(scope="module")
def browser():
    from playwright.sync_api import sync_playwright

    with sync_playwright() as playwright:
        chromium = playwright.chromium.launch(executable_path=EXECUTABLE, args=["--no-sandbox"])
        yield chromium
        chromium.close()


@pytest.fixture(scope="module")
def served():
    """Start the explorer of a run in a thread; gives its address."""
    servers = []

    def start(run, dataset):
        listener = serve._listen(0)
        config = uvicorn.Config(make_app(Explorer(run, dataset)), log_level="warning", lifespan="off", ws="none")
        server = uvicorn.Server(config)
        thread = threading.Thread(target=server.run, kwargs={"sockets": [listener]}, daemon=True)
        thread.start()
        servers.append((server, thread))
        return f"http://127.0.0.1:{listener.getsockname()[1]}/"

    yield start
    for server, thread in servers:
        server.should_exit = True
        thread.join()


@pytest.fixture(scope="module")
def digits_address(served, digits):
    return served(*digits)


@pytest.fixture
def open_page(browser):
    """Open the page at a size; fails if anything is written to the console, or asked for elsewhere."""
    pages, problems = [], []

    def opened(address, size=WIDE, **options):
        page = browser.new_page(viewport=size, **options)
        pages.append(page)
        page.on("console", lambda message: problems.append(message.text))
        page.on("pageerror", lambda error: problems.append(str(error)))
        page.on("request", lambda request: request.url.startswith((address, "blob:")) or problems.append(request.url))
        page.goto(address)
        page.wait_for_selector("#nearest button", timeout=60_000)
        return page

    yield opened
    for page in pages:
        page.close()
    assert problems == []


def point_of(page):
    """The point that the page is at, in full precision."""
    return np.array(page.evaluate("point"), np.float32)


def picture_of(page):
    return np.array(page.evaluate("Array.from(decoded)"), np.float32)


def wait_for(page, expression):
    """Wait until an expression is true; the policy of the page lets `wait_for_function` not evaluate text."""
    for _ in range(1500):
        if page.evaluate(expression):
            return
        page.wait_for_timeout(20)
    raise AssertionError(f"{expression} was not true after half a minute")


def wait_until_settled(page):
    wait_for(page, "!asking && !wanted")


def require_decoded(page, run):
    """What is shown is what the run decodes from the point that is shown."""
    wait_until_settled(page)
    np.testing.assert_allclose(picture_of(page), run.decode(point_of(page)[None])[0].ravel(), atol=1e-4)


def test_sliders_by_keys_and_by_mouse(open_page, digits_address, digits):
    page = open_page(digits_address)
    run = digits[0]
    np.testing.assert_allclose(point_of(page), run.training_coefficients.mean(axis=0), rtol=1e-4)
    before = picture_of(page)
    page.focus("#coefficient-2")
    for _ in range(30):
        page.keyboard.press("ArrowRight")
    wait_until_settled(page)
    low, high = run.training_coefficients[:, 2].min(), run.training_coefficients[:, 2].max()
    moved = point_of(page) - run.training_coefficients.mean(axis=0)
    np.testing.assert_allclose(moved[2], 30 * 1.1 * (high - low) / 200, rtol=0.05)
    np.testing.assert_allclose(moved[[0, 1, 3]], 0, atol=1e-4)
    assert np.abs(picture_of(page) - before).max() > 0
    require_decoded(page, run)
    box = page.locator("#coefficient-0").bounding_box()
    page.mouse.click(box["x"] + 0.9 * box["width"], box["y"] + box["height"] / 2)
    assert point_of(page)[0] > np.quantile(run.training_coefficients[:, 0], 0.9)
    require_decoded(page, run)
    page.click("#reset")
    np.testing.assert_allclose(point_of(page), run.training_coefficients.mean(axis=0), rtol=1e-4)


def test_the_scatter_by_drag_and_by_keys(open_page, digits_address, digits):
    page = open_page(digits_address)
    run = digits[0]
    page.select_option("#axis-x", "3")
    box = page.locator("#scatter").bounding_box()
    page.mouse.move(box["x"] + 100, box["y"] + 60)
    page.mouse.down()
    page.mouse.move(box["x"] + 300, box["y"] + 200, steps=10)
    page.mouse.up()
    expected = page.evaluate("[view.x(point[3]), view.y(point[1])]")
    np.testing.assert_allclose(expected, [300, 200], atol=1.5)
    require_decoded(page, run)
    before = point_of(page)
    page.focus("#scatter")
    page.keyboard.press("ArrowLeft")
    page.keyboard.press("Shift+ArrowUp")
    after = point_of(page)
    assert after[3] < before[3]
    assert after[1] > before[1]
    np.testing.assert_array_equal(after[[0, 2]], before[[0, 2]])
    page.keyboard.press("Enter")
    wait_for(page, f"point[0] !== {float(before[0])!r}")
    distances = np.linalg.norm(run.training_coefficients - point_of(page), axis=1)
    assert distances.min() < 1e-5
    require_decoded(page, run)


def test_neighbours_and_test_samples_are_taken(open_page, digits_address, digits):
    page = open_page(digits_address)
    run = digits[0]
    page.click("#nearest button >> nth=1")
    wait_until_settled(page)
    assert np.linalg.norm(run.training_coefficients - point_of(page), axis=1).min() < 1e-5
    wait_for(page, "neighbours.distances[0] < 1e-5")
    page.focus("#examples button >> nth=5")
    page.keyboard.press("Enter")
    np.testing.assert_allclose(point_of(page), run.coefficients(run.examples[5:6])[0], atol=1e-4)
    require_decoded(page, run)


@pytest.mark.parametrize("method", ["linear", "spherical"])
def test_between_two_samples(open_page, digits_address, digits, method):
    page = open_page(digits_address)
    run = digits[0]
    a, b = run.coefficients(run.examples[[4, 7]])
    page.select_option("#end-a", "4")
    page.select_option("#end-b", "7")
    page.check(f"input[value={method}]")
    page.focus("#weight")
    page.keyboard.press("Home")
    for _ in range(30):
        page.keyboard.press("ArrowRight")
    wait_until_settled(page)
    assert page.inner_text("#weight-value") == "0.30"
    np.testing.assert_allclose(point_of(page), points_between(a, b, np.array([0.3]), method)[0], atol=1e-3)
    require_decoded(page, run)
    page.click("#take-a")
    page.keyboard.press("Tab")
    np.testing.assert_allclose(page.evaluate("ends.a.coefficients"), point_of(page))
    assert page.input_value("#end-a") == "point"


def test_downloads(open_page, digits_address, digits, tmp_path):
    page = open_page(digits_address)
    page.focus("#coefficient-1")
    page.keyboard.press("PageUp")
    wait_until_settled(page)
    with page.expect_download() as download:
        page.click("#save-coefficients")
    download.value.save_as(tmp_path / "a.csv")
    np.testing.assert_allclose(read_coefficients(tmp_path / "a.csv", 4)[0], point_of(page), rtol=1e-6)
    with page.expect_download() as download:
        page.click("#save-picture")
    assert download.value.suggested_filename == "run.png"
    download.value.save_as(tmp_path / "a.png")
    with Image.open(tmp_path / "a.png") as picture:
        assert picture.size == (512, 512)
        grey = np.asarray(picture.convert("L"), float)[32::64, 32::64] / 255
    low, high = page.evaluate("run.drawing.limits")
    np.testing.assert_allclose(grey, np.clip((picture_of(page).reshape(8, 8) - low) / (high - low), 0, 1), atol=0.01)


def test_everything_is_reached_by_the_tab_key(open_page, digits_address):
    page = open_page(digits_address)
    reached = set()
    for _ in range(80):
        page.keyboard.press("Tab")
        reached.add(page.evaluate("document.activeElement.id || document.activeElement.parentElement.id"))
    expected = {"axis-x", "axis-y", "colouring", "scatter", "reset", "examples", "colours", "save-picture", "nearest"}
    expected |= {"save-coefficients", "end-a", "take-a", "end-b", "take-b", "weight", "coefficient-0", "coefficient-3"}
    assert expected <= reached
    unnamed = """[...document.querySelectorAll("button, input, select, [tabindex]")].filter((element) =>
        !element.textContent.trim() && !element.getAttribute("aria-label") && !(element.labels || []).length).length"""
    assert page.evaluate(unnamed) == 0


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_at_the_width_of_a_phone(open_page, digits_address, digits, scheme):
    page = open_page(digits_address, PHONE, has_touch=True, color_scheme=scheme)
    assert page.evaluate("document.documentElement.scrollWidth") == PHONE["width"]
    box = page.locator("#scatter").bounding_box()
    page.touchscreen.tap(box["x"] + 150, box["y"] + 100)
    np.testing.assert_allclose(page.evaluate("[view.x(point[0]), view.y(point[1])]"), [150, 100], atol=1.5)
    require_decoded(page, digits[0])
    page.locator("#coefficient-3").scroll_into_view_if_needed()
    shown = page.locator("#picture").bounding_box()
    assert 0 <= shown["y"] < PHONE["height"] / 2  # the picture is in sight while sliders are moved
    ground = page.evaluate("getComputedStyle(document.body).backgroundColor")
    assert (np.mean([int(part) for part in ground[4:-1].split(",")]) < 60) == (scheme == "dark")


def test_a_table_and_its_parameters(open_page, served, table):
    run, dataset = table
    page = open_page(served(run, dataset))
    page.select_option("#colouring", label="mass")
    assert page.inner_text("#legend").startswith("mass")
    page.focus("#coefficient-1")
    page.keyboard.press("End")
    require_decoded(page, run)
    before = page.evaluate("document.getElementById('picture').toDataURL()")
    page.select_option("#units", "data")
    assert page.evaluate("document.getElementById('picture').toDataURL()") != before


def test_signals_of_one_coefficient_without_their_data(open_page, served, signals):
    run, _ = signals
    page = open_page(served(run, None))
    assert "the data of the run was not found" in page.inner_text("#nearest-help")
    box = page.locator("#scatter").bounding_box()
    page.mouse.click(box["x"] + 200, box["y"] + 50)
    require_decoded(page, run)


def test_it_says_when_the_server_is_gone(browser, digits):
    listener = serve._listen(0)
    server = uvicorn.Server(uvicorn.Config(make_app(Explorer(*digits)), log_level="warning", lifespan="off"))
    thread = threading.Thread(target=server.run, kwargs={"sockets": [listener]}, daemon=True)
    thread.start()
    page = browser.new_page(viewport=WIDE)
    page.goto(f"http://127.0.0.1:{listener.getsockname()[1]}/")
    page.wait_for_selector("#nearest button")
    server.should_exit = True
    thread.join()
    time.sleep(0.1)
    page.focus("#coefficient-0")
    page.keyboard.press("ArrowRight")
    page.wait_for_selector("#error:not([hidden])")
    assert "Is fastrrae explore still running?" in page.inner_text("#error")
    page.close()
