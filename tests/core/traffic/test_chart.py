"""The drawn chart; `core.traffic.curve`'s docstring shows the same one."""

import pytest

import loadtest.core.traffic.curve
from loadtest.core.request.spec import Phase, Stairs
from loadtest.core.traffic.chart import draw
from loadtest.core.traffic.curve import Step, TrafficCurve, curve_of

SMOOTH = """\
users
    4 |                  ##################
    3 |            ######
    2 |      ######
    1 |######
      +-----+-----+-----+-----+-----+-----+-- s
      0    30    60    90   120   150   180"""


def test_the_chart_of_the_curve_module():
    curve = curve_of((Phase(1, 2, 120), Phase(4, 0, 60)))
    assert draw(curve, 36, 4) == SMOOTH
    documented = loadtest.core.traffic.curve.__doc__.splitlines()
    for line in SMOOTH.splitlines()[1:]:
        assert any(line.strip() in each for each in documented), line


def test_rows_stand_for_several_users():
    assert draw(curve_of(Stairs(10, 3, 90)), 18, 3).splitlines()[1:4] == [
        "   30 |            ######",
        "   20 |      ######",
        "   10 |######",
    ]


def test_a_peak_shorter_than_a_column_is_drawn():
    curve = TrafficCurve((Step(0.0, 1), Step(50.0, 9), Step(50.1, 1)), 100.0)
    lines = draw(curve, 10, 9).splitlines()
    assert lines[1] == "    9 |     #"
    assert lines[9] == "    1 |##### ####"


@pytest.mark.parametrize(("width", "height"), [(1, 1), (5, 1), (200, 50), (7, 3)])
def test_any_size(width, height):
    curve = curve_of((Phase(1, 90, 3600),))
    lines = draw(curve, width, height).splitlines()
    assert len(lines) == height + 3
    assert all(len(line) <= width + 12 for line in lines)
    assert all(line.isascii() for line in lines)


@pytest.mark.parametrize(("width", "height"), [(0, 1), (1, 0)])
def test_no_size(width, height):
    with pytest.raises(ValueError, match="at least one"):
        draw(curve_of((Phase(1, 0, 60),)), width, height)


def test_no_users():
    assert "#" not in draw(TrafficCurve((Step(0.0, 0),), 10.0), 10, 5)


@pytest.mark.parametrize(
    ("now_s", "marks"), [(0.0, "::::::"), (45.0, "###:::"), (46.0, "####::"), (90.0, "######"), (None, "######")]
)
def test_what_is_ahead_is_drawn_otherwise(now_s, marks):
    curve = TrafficCurve((Step(0.0, 3),), 90.0)
    assert draw(curve, 6, 1, now_s).splitlines()[1] == f"    3 |{marks}"


def test_the_axis_has_no_more_digits_than_a_person_reads():
    assert draw(curve_of(Stairs(1, 2, 20)), 36, 2).splitlines()[-1].split() == "0 3.33 6.67 10 13.33 16.67 20".split()
