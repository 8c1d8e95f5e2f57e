"""The chart: for each workload the CPU of the floor, of the pool and of the three best peers, as a part
of what the best peer takes."""

import html

from . import report

COLUMN, GAP, NAME, BAR, ROW, TITLE = 420, 40, 74, 250, 15, 24
MOST = 2.0
COLUMNS = 2

STYLE = """
text { font: 11px system-ui, -apple-system, "Segoe UI", sans-serif; fill: #1f2328; }
.title { font-weight: 600; }
.note { fill: #59636e; }
.pool { fill: #0969da; }
.peer { fill: #afb8c1; }
.floor { fill: #d8dee4; }
.mark { stroke: #59636e; stroke-dasharray: 2 2; }
@media (prefers-color-scheme: dark) {
  text { fill: #f0f6fc; }
  .note { fill: #9198a1; }
  .pool { fill: #4493f8; }
  .peer { fill: #656c76; }
  .floor { fill: #3d444d; }
  .mark { stroke: #9198a1; }
}
"""


def draw(results):
    blocks = [block for block in map(block_of, results) if block]
    parts, heights = [], [30] * COLUMNS
    for title, bars in blocks:
        column = heights.index(min(heights))
        left, top = 10 + column * (COLUMN + GAP), heights[column]
        parts.append(text(left, top + 14, title, "title"))
        for number, bar in enumerate(bars):
            parts += draw_bar(left, top + TITLE + number * ROW, *bar)
        mark = left + NAME + BAR / MOST
        bottom = top + TITLE + len(bars) * ROW
        parts.append('<line class="mark" x1="%.1f" y1="%d" x2="%.1f" y2="%d"/>' % (mark, top + TITLE - 2, mark, bottom))
        heights[column] = bottom + 14
    width = 20 + COLUMNS * COLUMN + (COLUMNS - 1) * GAP
    note = "CPU time a request (shorter is better). The dashed line is the best peer; floor: bare sockets."
    return "\n".join([
        '<svg xmlns="http://www.w3.org/2000/svg" width="%d" height="%d" viewBox="0 0 %d %d" role="img">'
        % (width, max(heights), width, max(heights)),
        "<title>%s</title>" % html.escape(note), "<style>%s</style>" % STYLE,
        text(10, 18, note, "note"), *parts, "</svg>", ""])


def block_of(each):
    """The title and the bars of a workload: name, class, part of the best peer, what it comes to."""
    if not each.best or "pool" not in each.good:
        return None
    peers = sorted((client for client in each.good if client in report.clients.PEERS),
                   key=lambda client: each.median(client, report.cpu))
    shown = [(each.workload.floor, "floor", "floor"), ("pool", "fetchpool", "pool")]
    shown += [(peer, peer, "peer") for peer in peers[:3]]
    bars = [(name, style, each.median(client, report.cpu) / each.median(each.best, report.cpu),
             report.amount(each, client)) for client, name, style in shown if client in each.good]
    return "%s  %s" % (each.workload.name, each.workload.title), bars


def draw_bar(left, top, name, style, part, amount):
    length = max(1, min(part, MOST) / MOST * BAR)
    more = " ›" if part > MOST else ""
    return [
        text(left, top + 10, name),
        '<rect class="%s" x="%d" y="%d" width="%.1f" height="%d" rx="2"/>'
        % (style, left + NAME, top + 1, length, ROW - 4),
        text(left + NAME + length + 5, top + 10, amount + more, "note"),
    ]


def text(x, y, said, style=""):
    style = ' class="%s"' % style if style else ""
    return '<text%s x="%.1f" y="%d">%s</text>' % (style, x, y, html.escape(said))
