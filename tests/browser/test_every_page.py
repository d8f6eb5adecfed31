"""Every page of the shipped runs in a browser, opened once, or once more on a phone: all that holds on each."""

from typing import Any

import pytest
from playwright.sync_api import Browser, Page

from tests.browser.accessible import LOOKS, check_for_axe
from tests.browser.conftest import LAPTOP, PHONE
from tests.browser.cut import check_for_cut_words
from tests.browser.test_bar import BOXES, MARKED, check_bar, check_bar_of_phone, check_keys, opened
from tests.browsing import visited

PATHS = ["/", *MARKED]
OF_ANY_RUN = [
    *(path for path in MARKED if path not in ("/compare", "/side_by_side")),
    *(f"/uncertain?view={view}" for view in ("table", "scatter", "map", "confusion", "classes")),
    "/runs?other=fashion-cnn",
    "/side_by_side?pinned=1,2",
]
FOR_AXE = [
    *dict.fromkeys([*PATHS, *OF_ANY_RUN]),
    "/trust?referral=cheapest&details=figures,groups,scores,sets",
    "/example?closer_look=two_classes",
    "/compare?run=mnist-cnn&other=fashion-cnn",
    "/probe?seed=3",
    "/probe?input=drawing",
    "/story?step=3",
    "/story?step=2&present=yes",
    *(f"/{page}?run=digits-segmentation" for page in ("overview", "uncertain", "example", "trust", "probe")),
]
OF_OTHER_RUNS = (
    f"{address}{'&' if '?' in address else '?'}run={run}"
    for run in ("fashion-cnn", "digits-segmentation")
    for address in OF_ANY_RUN
)


@pytest.fixture(scope="module")
def boxes(browser: Browser, app_url: str) -> Any:
    """The parts of the bar on the first page."""
    with visited(browser, app_url, viewport=LAPTOP) as page:
        opened(page, PATHS[0])
        return page.evaluate(BOXES)


@pytest.mark.parametrize("address", dict.fromkeys([*FOR_AXE, *OF_OTHER_RUNS]))
def test_each_law_holds_on_every_page(page: Page, boxes: list[list[Any]], address: str) -> None:
    page.set_viewport_size(LAPTOP)
    opened(page, address)
    if address in PATHS:
        check_bar(page, boxes, address)
    check_for_cut_words(page)
    if address in FOR_AXE:
        check_for_axe(page, LOOKS)
    if address in PATHS:  # a page that is opened on a phone may differ from one that becomes narrow
        page.set_viewport_size(PHONE)
        opened(page, address)
        check_bar_of_phone(page)
        for size in (PHONE, LAPTOP):
            check_keys(page, size)
