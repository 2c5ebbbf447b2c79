"""Some trees of a hunt lie deeper, and all that is not of them is drawn as without them."""

from tests.hunt.draws import Draws
from tests.hunt.sklearn_heads import HEADS
from tests.hunt.sklearn_nested import OFTEN, TREES, nested

NUMBERS = 400


def test_p0_347_a_part_of_the_trees_lies_in_pipelines_searches_and_stacks() -> None:
    found = []
    for number in range(NUMBERS):
        draws = Draws(number, 0)
        family = sorted(TREES)[number % len(TREES)]
        estimator = nested(draws.aside(1), family, [], HEADS[family](draws))
        found += [] if estimator is None else [type(estimator[-1]).__name__]
    assert abs(len(found) - OFTEN * NUMBERS) < OFTEN * NUMBERS / 2
    kinds = {"Pipeline", "GridSearchCV", "StackingClassifier", "StackingRegressor"}
    assert set(found) == kinds


def test_p0_348_no_other_family_has_any() -> None:
    for family in set(HEADS) - TREES:
        head = HEADS[family](Draws(1))
        assert all(nested(Draws(number), family, [], head) is None for number in range(50))


def test_p0_349_what_is_drawn_aside_changes_no_other_draw() -> None:
    one, other = Draws(5), Draws(5)
    first, second = (one.aside(number).whole(0, 10**9) for number in (0, 1))
    assert one.whole(0, 10**9) == other.whole(0, 10**9)
    assert first != second
    assert Draws(5).aside(1).whole(0, 10**9) == second
