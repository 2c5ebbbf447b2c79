"""What the suite found is on the page of differences, test by test."""

from sealift_signing.walk.layer import STRICT
from tests.conformance import page
from tests.conformance.page import Results


def test_t1_39_the_page_of_differences_is_the_generated_one() -> None:
    results = Results.read()
    assert page.PAGE.read_text() == page.page(results), (
        "conformance.md is out of date: run make conformance SUITE=DIR"
    )


def test_t1_39_with_the_layer_off_the_whole_suite_passed() -> None:
    results = Results.read()
    assert results.tests == 113
    assert results.failed[page.OFF] == []
    assert len(results.failed[page.ON]) > len(results.failed[page.SPELLING_LIFTED]) > 0


def test_t1_39_each_test_that_the_layer_fails_is_listed_with_its_rule() -> None:
    results = Results.read()
    listed = {test for rule in STRICT for test in results.refused(rule)}
    assert listed == set(results.failed[page.ON])
