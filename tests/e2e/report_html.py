"""report_html.py FOLDER DOM [--names-are-urls]: report.html as written and as the browser has it, against report.json."""
import json
import re
import sys
from html.parser import HTMLParser
from pathlib import Path
from xml.etree import ElementTree

folder, dom = Path(sys.argv[1]), Path(sys.argv[2]).read_text(encoding="utf-8")
page = (folder / "report.html").read_text(encoding="utf-8")
report = json.loads((folder / "report.json").read_text(encoding="utf-8"))


class Page(HTMLParser):
    """Elements as (tag, attributes, id of the enclosing svg), and the text right inside those with an id."""

    def __init__(self):
        super().__init__()
        self.elements, self.texts, self.svg, self.open = [], {}, None, None

    def handle_starttag(self, tag, attrs):
        attrs = dict(attrs)
        if tag == "svg":
            self.svg = attrs.get("id", "")
        self.elements.append((tag, attrs, self.svg))
        self.open = attrs.get("id")

    def handle_endtag(self, tag):
        self.open = None
        if tag == "svg":
            self.svg = None

    def handle_data(self, text):
        self.texts[self.open] = self.texts.get(self.open, "") + text


def parse(text):
    parser = Page()
    parser.feed(text)
    return parser


browser = parse(dom)
data = json.loads(browser.texts["data"])

# the file itself: well-formed, one of each id, nothing from outside
root = ElementTree.fromstring(page.replace("<!DOCTYPE html>", ""))
ids = [e.attrib["id"] for e in root.iter() if "id" in e.attrib]
assert len(ids) == len(set(ids)), "an id twice"
assert {"map", "live", "frontier", "layers", "buffers", "data"} <= set(ids)
if "--names-are-urls" in sys.argv:  # then addresses are text, as the elements show
    assert "example.com" in page and any("example.com" in row["name"] for row in report["schedule"])
else:
    outside = re.search(r"https?:|//[a-z]|@import|url\((?!#)|\b(src|href) *=", page.replace("// Pointing", ""))
    assert not outside, f"something from outside: {outside}"
for tag, attrs, _ in browser.elements:
    assert tag not in ("img", "link", "iframe", "object", "embed", "base", "image", "use"), tag
    assert not {"src", "href", "xlink:href", "onerror", "onload", "onclick"} & set(attrs), (tag, attrs)
assert "Point at a buffer" in browser.texts["info"], "the script did not run"

# the map: one rect per buffer, at its place and time
calls, arena = len(data["calls"]), data["arena_bytes"]
rects = [attrs for tag, attrs, svg in browser.elements if tag == "rect" and svg == "map"]
assert len(rects) == len(data["buffers"]) == len(report["tensors"]) > 0, "not one rect per buffer"
frame = next(attrs for tag, attrs, _ in browser.elements if attrs.get("id") == "map")
left, width = float(frame["data-left"]), float(frame["data-width"])
top = min(float(r["y"]) for r in rects)
bottom = max(float(r["y"]) + float(r["height"]) for r in rects)
highest = max(b["offset"] + b["bytes"] for b in data["buffers"])
assert arena - 16 < highest <= arena == report["arena_bytes"], "the arena ends with its highest buffer"
for rect, buffer, tensor in zip(rects, data["buffers"], report["tensors"]):
    assert (buffer["offset"], buffer["bytes"], buffer["name"]) == (tensor["offset"], tensor["bytes"], tensor["name"])
    assert data["calls"][buffer["first"]]["stage"] == tensor["first_stage"], tensor
    assert data["calls"][buffer["last"]]["stage"] == tensor["last_stage"], tensor
    end = buffer["offset"] + buffer["bytes"]
    want = {"x": left + width * buffer["first"] / calls, "width": width * (buffer["last"] + 1 - buffer["first"]) / calls,
            "y": bottom - (bottom - top) * end / highest, "height": (bottom - top) * buffer["bytes"] / highest}
    for key, value in want.items():
        assert abs(float(rect[key]) - value) < 0.02, f"{buffer['name']}: {key} is {rect[key]}, not {value:.2f}"

# live bytes, the frontier, the tables
assert data["arena_lower_bound_bytes"] == report["arena_lower_bound_bytes"]
for stage in {c["stage"] for c in data["calls"]}:
    live = max(c["live_bytes"] for c in data["calls"] if c["stage"] == stage)
    assert {r["live_bytes"] for r in report["schedule"] if r["stage"] == stage} == {live}, f"live bytes of stage {stage}"
curve = next(attrs["d"] for tag, attrs, _ in browser.elements if attrs.get("id") == "live")
assert curve.count("H") == calls, "not one step per call"
points = [attrs for tag, attrs, _ in browser.elements if "point" in attrs.get("class", "").split()]
assert len(points) == len(data["alternatives"]) == len(report["alternatives"])
assert [("chosen" in p["class"], "exact" in p["class"]) for p in points] == [(a["chosen"], a["exact"]) for a in data["alternatives"]]
assert sum(a["chosen"] for a in data["alternatives"]) == 1
arenas = [a["arena_bytes"] for a in data["alternatives"]]
assert arenas == sorted(arenas) and next(a for a in data["alternatives"] if a["chosen"])["arena_bytes"] == arena
assert len([1 for _, attrs, _ in browser.elements if "data-t" in attrs]) == calls == len(report["schedule"])
assert len([1 for tag, attrs, _ in browser.elements if tag == "tr" and "data-b" in attrs]) == len(rects)
segments = data["segments"]
assert [s["begin"] for s in segments] == [0] + [s["end"] for s in segments[:-1]] and segments[-1]["end"] == calls
print(f"{len(rects)} buffers, {calls} calls, {len(segments)} segments, {len(points)} schedules")
