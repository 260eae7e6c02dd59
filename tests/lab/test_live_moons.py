"""Two moons that a page trains on, in a real browser: its network is the library's."""

import re

import numpy as np
import pytest
import torch
from selenium.webdriver.common.by import By
from selenium.webdriver.common.keys import Keys

from sdlib.lab.live import live_html
from sdlib.lab.moons_figure import moons_state
from sdlib.losses import SpectralDecouplingLoss
from sdlib.theory.moons import ARMS, Arm, network, train, two_moons
from tests.lab.browser import NEEDS_BROWSER, call, chromium, lay_out, served, severe
from tests.lab.test_moons_figure import unpacked

pytestmark = NEEDS_BROWSER

EPOCHS = 40  # to the first stop of the page; the last one is at three times as many
STOP, LAST = f"Train to epoch {EPOCHS}", f"Train to epoch {3 * EPOCHS}"
SPECTRAL, DECAY = "spectral decoupling, 0.006", "weight decay, 0.01"
WORDS = re.compile(
    r"Epoch (\d+)\. Smallest margin (\S+), median (\S+); .+\. "
    r"Right on moons put back together: (\S+)\."
)
# Logits of the training points at some epochs, from the state's weights on.
TRAIN = """
    const [data, lam, decay, stops, done] = arguments;
    const {step, logits} = await import("/_static/lab/moons_worker.js");
    const [[weights], points] = data.map((set) => set.map((one) => Float32Array.from(one)));
    const net = {weights, velocity: weights.map(() => 0), lam, decay};
    const found = [];
    for (let epoch = 1; epoch <= Math.max(...stops); epoch++) {
      step(net, points);
      if (stops.includes(epoch)) found.push([...logits(weights, points)]);
    }
    done(found);"""


@pytest.fixture(scope="module")
def address(tmp_path_factory):
    """A page with the figure, laid out as the book's site is."""
    figure = live_html("moons", moons_state(epochs=EPOCHS), "<p>Scripts are off.</p>")
    with served(lay_out(tmp_path_factory.mktemp("site"), figure)) as root:
        yield f"{root}/index.html?moons.predicted=shown"


@pytest.fixture(scope="module")
def driver(tmp_path_factory):
    with chromium(tmp_path_factory.mktemp("chromium")) as one:
        yield one


def status(driver):
    return driver.execute_script(
        "return [...document.querySelectorAll('[role=status]')].at(-1)?.textContent ?? ''"
    )


def until(driver, epoch):
    """Wait for an epoch; the smallest and the median margin then, and accuracy."""
    for _ in range(400):
        found = WORDS.fullmatch(status(driver))
        if found and int(found[1]) == epoch:
            return [float(number) for number in found.groups()[1:]]
        driver.execute_async_script("setTimeout(arguments[0], 50)")
    raise AssertionError(driver.find_element(By.TAG_NAME, "body").text)


def opened(driver, address):
    driver.get(address)
    until(driver, 0)


def press(driver, label):
    buttons = driver.find_elements(By.TAG_NAME, "button")
    (found,) = [one for one in buttons if one.text == label]
    found.send_keys(Keys.ENTER)


def phases(*settings):
    """Margins and accuracy after phases of one training, by autograd and PyTorch's SGD."""
    x, y = two_moons()
    fresh, targets = two_moons(2000, margin=None, seed=1)
    model = network(0)
    optimiser = torch.optim.SGD(model.parameters(), 0.01, 0.9)
    for setting, epochs in settings:
        optimiser.param_groups[0]["weight_decay"] = setting.weight_decay
        criterion = SpectralDecouplingLoss(setting.lam)
        for _ in range(epochs):
            optimiser.zero_grad()
            criterion(model(x), y).backward()
            optimiser.step()
    with torch.no_grad():
        margins = ((2 * y - 1) * model(x)).sort().values
        right = ((model(fresh) > 0) == (targets == 1))[:500]
    return [margins[0].item(), margins[150].item(), right.double().mean().item()]


def as_written(numbers):
    """What rounding in the page's sentence leaves."""
    return pytest.approx(numbers, abs=0.0051)


# -- Parity with the library


@pytest.mark.parametrize(
    "arm", [*ARMS.values(), Arm(lam=6.0), Arm(lam=0.006, weight_decay=0.01)], ids=str
)
def test_the_pages_training_is_the_librarys(driver, address, arm):
    opened(driver, address)
    data = [[column.tolist() for column in columns] for columns in unpacked(moons_state())[:2]]
    stops = [1, 300, 1000]
    script = f"(async (...arguments) => {{{TRAIN}}})(...arguments)"
    found = np.array(driver.execute_async_script(script, data, arm.lam, arm.weight_decay, stops))
    run = train(arm, *two_moons(), seeds=[0], epochs=1000, record_every=1)
    expected = run.logits[0, stops].numpy()
    assert np.abs(expected).max() > 0.05
    assert np.abs(found - expected).max() < 1e-3


def test_the_boundary_of_a_straight_line_is_that_line(driver, address):
    opened(driver, address)
    first, second = (column.astype(float) for column in unpacked(moons_state())[3])
    for slope, offset in ((0.5, 0.0), (-0.7, 0.31), (0.0, 1.0)):
        logits = 3 * (first - slope * second - offset)
        places = call(
            driver,
            "/_static/lab/moons.js",
            "boundary",
            logits.tolist(),
            [first.tolist(), second.tolist()],
        )
        across, up = np.array(places).T
        assert np.allclose(up, slope * across + offset, atol=1e-6)
        columns = np.unique(second)
        inside = np.abs(slope * columns + offset) < 1.7
        assert np.array_equal(np.sort(across), columns[inside])


def test_without_a_change_of_sign_there_is_no_boundary(driver, address):
    opened(driver, address)
    grid = [[0.0, 1.0, 0.0, 1.0], [0.0, 0.0, 1.0, 1.0]]
    module = "/_static/lab/moons.js"
    # The signs of the last pair differ, but across two columns.
    for logits in ([1.0, 2.0, 3.0, 4.0], [-1.0, -2.0, -1.0, -2.0], [-1.0, -1.0, 1.0, 1.0]):
        assert call(driver, module, "boundary", logits, grid) == []


# -- As a reader meets it


def test_the_figure_trains_stops_and_says_the_librarys_numbers(driver, address):
    opened(driver, address)
    assert until(driver, 0) == as_written(phases((Arm(), 0)))
    press(driver, STOP)
    assert until(driver, EPOCHS) == as_written(phases((Arm(), EPOCHS)))
    assert severe(driver) == []


def test_a_new_penalty_goes_on_from_the_present_weights_until_restart(driver, address):
    opened(driver, address)
    press(driver, STOP)
    until(driver, EPOCHS)
    press(driver, SPECTRAL)
    press(driver, LAST)
    expected = phases((Arm(), EPOCHS), (ARMS["sd"], 2 * EPOCHS))
    assert until(driver, 3 * EPOCHS) == as_written(expected)
    press(driver, "Pause")
    press(driver, DECAY)
    press(driver, "Restart")
    assert until(driver, 0) == as_written(phases((Arm(), 0)))
    press(driver, STOP)
    assert until(driver, EPOCHS) == as_written(phases((ARMS["weight_decay"], EPOCHS)))


def test_the_worker_stops_when_told(driver, address):
    opened(driver, address)
    # In one go, so that training cannot end before the pause.
    driver.execute_script(
        """const [stop, pause] = arguments;
        const button = (label) =>
          [...document.querySelectorAll("button")].find((one) => one.textContent === label);
        button(stop).click();
        setTimeout(() => button(pause).click(), 50);""",
        LAST,
        "Pause",
    )
    driver.execute_async_script("setTimeout(arguments[0], 600)")
    stopped = status(driver)
    assert int(WORDS.fullmatch(stopped)[1]) < 3 * EPOCHS
    driver.execute_async_script("setTimeout(arguments[0], 400)")
    assert status(driver) == stopped


@pytest.mark.parametrize("motion", ["no-preference", "reduce"])
def test_readers_who_want_no_motion_see_the_result_alone(driver, address, motion):
    features = [{"name": "prefers-reduced-motion", "value": motion}]
    driver.execute_cdp_cmd("Emulation.setEmulatedMedia", {"features": features})
    opened(driver, address)
    driver.execute_script(
        """const box = [...document.querySelectorAll("[role=status]")].at(-1);
        window.seen = [];
        const look = () => window.seen.push([box.textContent, box.getAttribute("aria-live")]);
        new MutationObserver(look).observe(box, { childList: true });"""
    )
    press(driver, STOP)
    until(driver, EPOCHS)
    seen = driver.execute_script("return window.seen")
    told = {(int(WORDS.fullmatch(text)[1]), live) for text, live in seen}
    # While it trains, a screen reader is told nothing.
    assert (EPOCHS, "polite") in told
    assert {live for epoch, live in told if 0 < epoch < EPOCHS} <= {"off"}
    between = {epoch for epoch, _ in told if 0 < epoch < EPOCHS}
    assert (len(between) > 1) == (motion == "no-preference")


def test_sliders_have_names_and_say_their_strength(driver, address):
    opened(driver, address)
    lam, decay = driver.find_elements(By.CSS_SELECTOR, "input[type=range]")
    assert lam.accessible_name.startswith("penalty λ")
    assert decay.accessible_name.startswith("weight decay")
    lam.send_keys(*[Keys.ARROW_RIGHT] * 3)
    assert lam.get_attribute("aria-valuetext") == "0.006"
    assert "moons.lam=3" in driver.current_url


@pytest.mark.parametrize("asked", ["1e9", "-1e9", "2.5", "nonsense", "NaN", "Infinity", ""])
def test_what_a_link_asks_beyond_the_ends_is_brought_back(driver, address, asked):
    driver.get(f"{address}&moons.lam={asked}&moons.decay={asked}&moons.data=x&moons.fixed=x")
    until(driver, 0)
    fixed = moons_state()["fixed"]
    sliders = driver.find_elements(By.CSS_SELECTOR, "input[type=range]")
    for slider, strengths in zip(sliders, (fixed["lams"], fixed["decays"]), strict=True):
        assert float(slider.get_attribute("aria-valuetext")) in strengths
    assert severe(driver) == []


@pytest.mark.parametrize(
    ("asked", "end"), [("1e9", 3 * EPOCHS), ("-7", 0), ("39.5", 40), ("33", 40)]
)
def test_a_link_trains_to_the_last_stop_at_most(driver, address, asked, end):
    driver.get(f"{address}&moons.goal={asked}")
    until(driver, end)
    driver.execute_async_script("setTimeout(arguments[0], 200)")
    assert f"Epoch {end}." in status(driver)
