"""The page of a run in headless Chromium: what a person can do with it."""

import shutil
from collections.abc import Iterator
from io import BytesIO
from pathlib import Path

import numpy as np
import pytest
from PIL import Image
from playwright.sync_api import Browser, Page, sync_playwright

from fractalgan.nn import FractalGenerator
from fractalgan.reports import Paint, write_page
from fractalgan.storage import read_fractals
from tests.problems import correlation
from tests.reports.runs import generator, write_run

CHROMIUM = shutil.which("chromium") or shutil.which("chromium-browser") or shutil.which("google-chrome")
pytestmark = [
    pytest.mark.skipif(CHROMIUM is None, reason="no Chromium is installed: apt-get install chromium"),
    pytest.mark.filterwarnings("ignore::ResourceWarning"),
]
DONE = "canvas[data-state=done]"


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    with sync_playwright() as playwright:
        opened = playwright.chromium.launch(executable_path=CHROMIUM, args=["--no-sandbox"])
        yield opened
        opened.close()


@pytest.fixture(scope="module")
def pages(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("pages")
    write_page([write_run(folder / "plain", first_digits())])
    write_page([write_run(folder / "color", generator(3, count=4))])
    return folder


def first_digits() -> FractalGenerator:
    content = read_fractals("digits").select(range(16))
    return FractalGenerator.of_file(content, "digits")


def opened(browser: Browser, path: Path, errors: list[str], **options: object) -> Page:
    page = browser.new_page(**{"viewport": {"width": 360, "height": 600}} | options)
    page.on("console", lambda message: errors.append(message.text) if message.type == "error" else None)
    page.on("pageerror", lambda error: errors.append(str(error)))
    page.goto(path.as_uri())
    return page


def canvas(page: Page) -> np.ndarray:
    page.wait_for_selector(DONE, timeout=60_000)
    with Image.open(BytesIO(page.locator("canvas").screenshot())) as picture:
        return np.asarray(picture.convert("L"), dtype=float)


def test_fractal_is_opened_dragged_and_zoomed_ten_thousandfold(browser: Browser, pages: Path) -> None:
    errors: list[str] = []
    page = opened(browser, pages / "plain/report.html", errors)
    page.click("button[data-fractal='7']")
    whole = canvas(page)
    assert whole.std() > 10
    box = page.locator("canvas").bounding_box()
    middle = box["x"] + box["width"] / 2, box["y"] + box["height"] / 2
    page.mouse.move(*middle)
    page.mouse.down()
    page.mouse.move(middle[0] + 60, middle[1], steps=4)
    page.mouse.up()
    shift = round(60 * whole.shape[1] / box["width"])
    dragged = canvas(page)
    assert correlation(dragged[5:-5, shift + 5 : -5], whole[5:-5, 5 : -shift - 5]) > 0.9
    for _ in range(24):
        page.keyboard.press("+")
        page.wait_for_timeout(150)
    deep = canvas(page)
    zoom = float(page.url.rsplit("/", 1)[1])
    assert zoom > 1e4
    assert deep.std() > 5
    assert 0.001 < (deep > 20).mean() < 0.999
    page.keyboard.press("Escape")
    assert not page.locator("#viewer").is_visible()
    assert errors == []


def test_page_works_on_a_phone_in_the_dark(browser: Browser, pages: Path) -> None:
    errors: list[str] = []
    phone = {"viewport": {"width": 390, "height": 844}, "is_mobile": True, "has_touch": True}
    page = opened(browser, pages / "plain/report.html", errors, color_scheme="dark", **phone)
    assert page.evaluate("document.documentElement.scrollWidth") <= 390
    ink, paper = (
        sum(map(int, page.evaluate(f"getComputedStyle(document.body).{name}")[4:-1].split(", ")))
        for name in ("color", "backgroundColor")
    )
    assert paper < 150 < 500 < ink
    page.tap("button[data-fractal='1']")
    assert canvas(page).std() > 10
    assert page.locator("canvas").bounding_box()["width"] <= 390
    assert errors == []


def test_slider_shows_the_grid_of_each_step(browser: Browser, pages: Path) -> None:
    page = opened(browser, pages / "color/report.html", [])
    slider, shown = page.locator("input[data-frames]"), page.locator(".frames img:not([hidden])")
    assert shown.get_attribute("data-step") == "20"
    slider.focus()
    page.keyboard.press("ArrowLeft")
    assert shown.get_attribute("data-step") == "10"
    assert page.locator("figure output").inner_text() == "10"


def test_transforms_numbers_and_link_of_a_view(browser: Browser, pages: Path) -> None:
    errors: list[str] = []
    page = opened(browser, pages / "color/report.html", errors)
    page.locator("button[data-fractal='2']").focus()
    page.keyboard.press("Enter")
    page.keyboard.press("m")
    assert page.locator(".stage polygon").count() == 5
    assert '"features"' in page.locator("[data-part=numbers]").text_content()
    page.keyboard.press("+")
    command = page.locator("[data-part=command]").inner_text()
    assert "--fractals 2 --zoom 1.5 --center " in command
    page.keyboard.press("m")
    shown = canvas(page)
    again = opened(browser, pages / "color/report.html", errors)
    again.goto(page.url)
    again.reload()
    assert correlation(canvas(again), shown) > 0.95
    assert errors == []


def test_without_javascript_there_are_pictures_of_all_fractals(browser: Browser, pages: Path) -> None:
    context = browser.new_context(java_script_enabled=False)
    page = context.new_page()
    page.goto((pages / "color/report.html").as_uri())
    assert page.locator(".gallery img").count() == 4
    assert page.locator(".gallery button:disabled").count() == 4
    assert page.locator(".frames img:visible").count() == 1


def test_hostile_names_are_text(browser: Browser, tmp_path: Path) -> None:
    hostile = (
        "</script><script>document.title = 'owned'</script><img src=x onerror=\"document.title='owned'\">"
    )
    run = write_run(tmp_path / "<b>bold<", generator(), findings=[hostile], data=hostile)
    errors: list[str] = []
    page = opened(browser, write_page([run]), errors)
    assert page.title() == "<b>bold<"
    page.click("button[data-fractal='0']")
    assert page.locator("#viewer-title").inner_text() == "<b>bold<, fractal 0"
    assert page.title() == "<b>bold<"
    assert errors == []


@pytest.mark.parametrize(("name", "count"), [("plain", 16), ("color", 4)])
def test_page_draws_what_python_draws(browser: Browser, pages: Path, name: str, count: int) -> None:
    errors: list[str] = []
    page = opened(browser, pages / name / "report.html", errors)
    fractals = FractalGenerator.from_pretrained(pages / name)
    size = 128
    cases = [(index, 1.0, 60) for index in range(count)]
    cases += [(index, 40.0, 200) for index in (1, 3)]  # with less noise, as most pixels have points there
    for index, zoom, points in cases:
        view = fractals.view(index, zoom, None)
        layer = fractals.picture(index, size=size, zoom=zoom, center=view.center, points_per_pixel=points)
        learned = fractals.embedding.features.background[index].detach()
        expected = np.asarray(Paint().picture(layer, learned), dtype=float)
        drawn = np.reshape(
            page.evaluate(DRAW, [index, list(view.center), view.half, size, points]), (size, size, 4)
        )
        assert correlation(drawn[..., :3], expected) > 0.98, (name, index)
    assert errors == []


DRAW = """([index, center, half, size, points]) => {
  const data = JSON.parse(document.getElementById("fractals").textContent);
  return [...Fractal.picture(data.runs[0].fractals[index], { center, half }, size, data.colors, points)];
}"""


def test_page_zooms_into_a_spiral_that_hardly_contracts(browser: Browser, pages: Path) -> None:
    """A turn of 100 steps makes it 0.6 of its size: fourteen or 27 of them are the same picture."""
    contraction, angle, size = 0.995, 2 * np.pi / 100, 64
    cos, sin = contraction * np.cos(angle), contraction * np.sin(angle)
    plain = {"values": [[], []], "blend": [0, 0], "background": [], "probabilities": [0.9936, 0.0064]}
    spiral = {"A": [[cos, -sin, sin, cos], [0.08, 0, 0, 0.08]], "b": [[0, 0], [0.5, 0.8]]} | plain
    page = opened(browser, pages / "plain/report.html", [])
    near, *deep = (
        np.reshape(page.evaluate(DRAW_GIVEN, [spiral, 0.3 * contraction**steps, size]), (size, size, 4))
        for steps in (0, 1400, 2700)
    )
    for each in deep:
        assert correlation(each[..., :3], near[..., :3]) > 0.95


DRAW_GIVEN = """([fractal, half, size]) => {
  const data = JSON.parse(document.getElementById("fractals").textContent);
  return [...Fractal.picture(fractal, { center: [0, 0], half }, size, data.colors, 200)];
}"""
