"""The chart: for each workload the CPU of the floor, of the pool and of the three best peers, as a part
of what the best peer takes."""

import html

from . import report

COLUMN, GAP, NAME, BAR, ROW, TITLE = 420, 40, 74, 250, 15, 24
MOST = 2.0
COLUMNS = 2

STYLE = """
.ground { fill: #ffffff; }
text { font: 11px system-ui, -apple-system, "Segoe UI", sans-serif; fill: #1f2328; }
text { paint-order: stroke; stroke: #ffffff; stroke-width: 3px; stroke-linejoin: round; }
.title { font-weight: 600; }
.note { fill: #59636e; }
.pool { fill: #0969da; }
.peer { fill: #afb8c1; }
.floor { fill: #d8dee4; }
.mark { stroke: #59636e; stroke-dasharray: 2 2; }
@media (prefers-color-scheme: dark) {
  .ground { fill: #0d1117; }
  text { fill: #f0f6fc; stroke: #0d1117; }
  .note { fill: #9198a1; }
  .pool { fill: #4493f8; }
  .peer { fill: #656c76; }
  .floor { fill: #3d444d; }
  .mark { stroke: #9198a1; }
}
"""


def draw(results):
    parts, heights = [], [30] * COLUMNS
    for title, bars in filter(None, map(block_of, results)):
        column = heights.index(min(heights))
        left, top = 10 + column * (COLUMN + GAP), heights[column]
        block, height = draw_block(left, top, title, bars)
        parts += block
        heights[column] += height
    width, height = 20 + COLUMNS * COLUMN + (COLUMNS - 1) * GAP, max(heights)
    note = "CPU time a request (shorter is better). The dashed line is the best peer; floor: bare sockets."
    return "\n".join([
        '<svg xmlns="http://www.w3.org/2000/svg" width="%d" height="%d" viewBox="0 0 %d %d" role="img">'
        % (width, height, width, height),
        "<title>%s</title>" % html.escape(note), "<style>%s</style>" % STYLE,
        # Its own ground: the page that shows it may be of the other colour.
        '<rect class="ground" width="100%" height="100%"/>',
        text(10, 18, note, "note"), *parts, "</svg>", ""])


def draw_block(left, top, title, bars):
    """One workload, and how high it is."""
    zero, below = left + NAME, top + TITLE + len(bars) * ROW
    shapes, words = [], [text(left, top + 14, title, "title")]
    for number, (name, style, part, amount) in enumerate(bars):
        y = top + TITLE + number * ROW
        length = max(1, min(part, MOST) / MOST * BAR)
        more = " ›" if part > MOST else ""
        shapes.append('<rect class="%s" x="%d" y="%d" width="%.1f" height="%d" rx="2"/>'
                      % (style, zero, y + 1, length, ROW - 4))
        words.append(text(left, y + 10, name))
        words.append(text(zero + length + 5, y + 10, amount + more, "note"))
    best = zero + BAR / MOST
    shapes.append('<line class="mark" x1="%.1f" y1="%d" x2="%.1f" y2="%d"/>' % (best, top + TITLE - 2, best, below))
    # The words last: they have an edge, so that the line leaves them readable.
    return shapes + words, below + 14 - top


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


def text(x, y, said, style=""):
    style = ' class="%s"' % style if style else ""
    return '<text%s x="%.1f" y="%d">%s</text>' % (style, x, y, html.escape(said))
