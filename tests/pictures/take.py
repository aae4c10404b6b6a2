"""Takes the README's picture anew: `python -m tests.pictures.take`, while `lineage-api demo` runs on port 8000."""

import re
from pathlib import Path
from urllib.parse import quote

from playwright.sync_api import sync_playwright

ROOT = Path(__file__).parents[2]
FLAGS = ["--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run", "--disable-background-networking"]


def main() -> None:
    query = re.findall(r"```graphql\n(.*?)```", (ROOT / "README.md").read_text(), re.DOTALL)[0]
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path="/usr/bin/chromium", args=FLAGS)
        page = browser.new_page(viewport={"width": 1400, "height": 860})
        page.goto(f"http://127.0.0.1:8000/graphql?query={quote(query)}")
        page.click("button[aria-label^='Execute query']")
        page.wait_for_selector(".result-window .view-line:nth-child(12)")
        page.screenshot(path=ROOT / "tests" / "pictures" / "graphiql.png")
        browser.close()


if __name__ == "__main__":
    main()
