"""Superset's pages in Chromium: pictures in SQL Lab's results and in a table chart.

    python superset_pages.py URL CHROMIUM FOLDER DATABASE CHART SQL

Run by run_superset.py in Superset's environment, which has playwright.
"""

import sys
from pathlib import Path
from urllib.parse import urlencode

from playwright.sync_api import sync_playwright

PATIENCE = 90_000
"""Milliseconds; the first page compiles nothing, but there is much of it to load."""
PICTURE = 'img[src^="data:image/jpeg;base64,"]'
SHOWN = "all => all.filter(one => one.complete && one.naturalWidth > 0).length"


def main(url, chromium, folder, database, chart, sql):
    folder = Path(folder)
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(
            executable_path=chromium, args=["--no-sandbox"]
        )
        page = browser.new_page(viewport={"width": 1280, "height": 860})
        page.set_default_timeout(PATIENCE)
        page.goto(f"{url}/login/")
        page.fill("#username", "admin")
        page.fill("#password", "admin")
        page.keyboard.press("Enter")
        page.wait_for_url("**/welcome/**")

        query = urlencode(
            {"dbid": database, "sql": sql, "name": "Search", "autorun": "true"}
        )
        page.goto(f"{url}/sqllab/?{query}")
        found = pictures(page, folder / "superset-sqllab.png")
        page.goto(f"{url}/explore/?slice_id={chart}")
        drawn = pictures(page, folder / "superset-chart.png")
        browser.close()
    print(f"  in chromium: {found} pictures in SQL Lab, {drawn} in the chart")
    return 0 if found and drawn else 1


def pictures(page, shot):
    """Return how many pictures the page shows once it shows any; keep its picture."""
    try:
        page.wait_for_selector(PICTURE)
        page.wait_for_timeout(1500)
    finally:
        page.screenshot(path=str(shot))
    return page.eval_on_selector_all(PICTURE, SHOWN)


if __name__ == "__main__":
    sys.exit(main(*sys.argv[1:]))
