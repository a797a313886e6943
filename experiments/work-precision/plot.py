"""Log-log small multiples as SVG: a figure a family, mixtures as columns, schedules or policies as rows."""

import math
from xml.sax.saxutils import escape

from analysis import GRIDS, coinciding_groups, curves
from measure import POLICIES
from solver_choice import FAMILIES

# Okabe and Ito's colours without yellow, which white swallows, and with a grey.
COLOURS = ["#0072B2", "#D55E00", "#009E73", "#CC79A7", "#000000", "#56B4E9", "#E69F00", "#7F7F7F"]
MARKERS = ["circle", "square", "triangle", "diamond", "down"]
DASHES = ["", "7 3", "2 3"]

WIDTH = 1200
LEFT, RIGHT, TOP, GAP = 84, 16, 66, 18
PANEL_HEIGHT = 300
LEGEND_ROW, LEGEND_COLUMNS = 24, 3
# Pixels of a legend's line and of a letter at most, as far as that can be known here.
LEGEND_SAMPLE, LETTER = 56, 7.0
GRID_RANGE, POLICY_RANGE = (3.6, 180.0), (9.0, 700.0)
GRID_TICKS, POLICY_TICKS = [4, 10, 20, 40, 80, 160], [10, 20, 40, 80, 160, 320, 640]
HIGHEST_ERROR, LOWEST_ERROR = 2.0, 1e-9
MIXTURE_TITLES = {"1d": "2 components in 1 dimension", "2d": "5 components in 2 dimensions",
                  "64d": "8 components in 64 dimensions"}


class Scale:
    """Logarithmic, from data to pixels."""

    def __init__(self, low, high, start, end):
        self.low, self.high = math.log10(low), math.log10(high)
        self.start, self.end = start, end

    def __call__(self, value):
        return self.start + (math.log10(value) - self.low) / (self.high - self.low) * (self.end - self.start)

    def holds(self, value):
        return self.low <= math.log10(value) <= self.high


def tag(name, content="", **attributes):
    text = "".join(f' {key.replace("_", "-")}="{value}"' for key, value in attributes.items() if value != "")
    return f"<{name}{text}>{content}</{name}>" if content else f"<{name}{text}/>"


def label(x, y, text, **attributes):
    return tag("text", escape(text), x=f"{x:.1f}", y=f"{y:.1f}", **attributes)


def line(x1, y1, x2, y2, **attributes):
    return tag("line", x1=f"{x1:.1f}", y1=f"{y1:.1f}", x2=f"{x2:.1f}", y2=f"{y2:.1f}", **attributes)


def marker(shape, x, y, colour):
    if shape == "circle":
        return tag("circle", cx=f"{x:.1f}", cy=f"{y:.1f}", r=3.4, fill=colour)
    corners = {"square": [(-3, -3), (3, -3), (3, 3), (-3, 3)], "triangle": [(0, -4), (3.8, 3), (-3.8, 3)],
               "diamond": [(0, -4.4), (4.4, 0), (0, 4.4), (-4.4, 0)], "down": [(0, 4), (3.8, -3), (-3.8, -3)]}[shape]
    return tag("polygon", points=" ".join(f"{x + dx:.1f},{y + dy:.1f}" for dx, dy in corners), fill=colour)


class Style:
    def __init__(self, index):
        self.colour = COLOURS[index % len(COLOURS)]
        self.shape = MARKERS[index % len(MARKERS)]
        self.dash = DASHES[index // len(COLOURS) % len(DASHES)]

    def path(self, places):
        drawing = "M" + "L".join(f"{x:.1f} {y:.1f}" for x, y in places)
        return tag("path", d=drawing, fill="none", stroke=self.colour, stroke_width=1.8, stroke_dasharray=self.dash,
                   stroke_linejoin="round")


def power_label(x, y, exponent, **attributes):
    return tag("text", f'10<tspan dy="-5" font-size="10">{str(exponent).replace("-", "−")}</tspan>', x=f"{x:.1f}",
               y=f"{y:.1f}", **attributes)


def frame(x_scale, y_scale, ticks, with_x, with_y):
    parts = [tag("rect", x=f"{x_scale.start:.1f}", y=f"{y_scale.end:.1f}", width=f"{x_scale.end - x_scale.start:.1f}",
                 height=f"{y_scale.start - y_scale.end:.1f}", fill="none", stroke="#999999")]
    for tick in ticks:
        parts.append(line(x_scale(tick), y_scale.start, x_scale(tick), y_scale.end, stroke="#ececec"))
        if with_x:
            parts.append(label(x_scale(tick), y_scale.start + 18, str(tick), text_anchor="middle"))
    for exponent in range(math.ceil(y_scale.low), math.floor(y_scale.high) + 1):
        y = y_scale(10.0**exponent)
        parts.append(line(x_scale.start, y, x_scale.end, y, stroke="#ececec"))
        if with_y and exponent % 2 == 0:
            parts.append(power_label(x_scale.start - 8, y + 4, exponent, text_anchor="end"))
    return parts


def slope_fan(x_scale, y_scale):
    """What orders 1 to 5 look like, from one point in the empty upper right corner."""
    reach = 0.32
    x, y = x_scale.high - reach - 0.08, y_scale.high - 0.35
    parts = []
    for order in range(1, 6):
        end_x, end_y = 10 ** (x + reach), 10 ** (y - order * reach)
        parts.append(line(x_scale(10**x), y_scale(10**y), x_scale(end_x), y_scale(end_y), stroke="#b5b5b5"))
        parts.append(label(x_scale(end_x) + 4, y_scale(end_y) + 4, str(order), fill="#8a8a8a", font_size=11))
    return parts


def curve(points, style, x_scale, y_scale, name):
    """One method: segments run off the panel through its clip path; points outside get no marker."""
    places = [(x_scale(nfe), y_scale(max(error, 1e-16))) for nfe, error in points]
    parts = [tag("title", escape(name)), style.path(places)]
    parts += [marker(style.shape, x_scale(nfe), y_scale(error), style.colour)
              for nfe, error in points if x_scale.holds(nfe) and error > 0 and y_scale.holds(error)]
    return tag("g", "".join(parts))


def error_range(points, x_range):
    errors = [error for nfe, error in points if x_range[0] <= nfe <= x_range[1] and error > 0]
    lowest = max(min(errors), LOWEST_ERROR)
    return 10 ** (math.floor(math.log10(lowest)) - 0.1), HIGHEST_ERROR * 2


def legend_places(entries):
    """(column, row) of each entry, left to right; a long text takes several columns."""
    column_width = (WIDTH - LEFT - RIGHT) / LEGEND_COLUMNS
    places, column, row = [], 0, 0
    for text, _ in entries:
        span = min(LEGEND_COLUMNS, math.ceil((LEGEND_SAMPLE + LETTER * len(text)) / column_width))
        if column + span > LEGEND_COLUMNS:
            column, row = 0, row + 1
        places.append((LEFT + column * column_width, row))
        column += span
    return places


def legend(entries, top):
    """Parts, and the height that they take."""
    parts, places = [], legend_places(entries)
    for (text, style), (x, row) in zip(entries, places):
        y = top + row * LEGEND_ROW
        parts += [style.path([(x, y), (x + 34, y)]), marker(style.shape, x + 17, y, style.colour), label(x + 42, y + 4.5, text)]
    return parts, (places[-1][1] + 1) * LEGEND_ROW


def figure(title, entries, all_curves, mixtures, controls, x_range, ticks):
    """`entries`: (solver, text of the legend) in the order of styles."""
    styles = {solver: Style(index) for index, (solver, _) in enumerate(entries)}
    shown = {key: points for key, points in all_curves.items()
             if key[2] in styles and key[1] in controls and key[0] in mixtures}
    y_range = error_range([point for points in shown.values() for point in points], x_range)
    panel_width = (WIDTH - LEFT - RIGHT - GAP * (len(mixtures) - 1)) / len(mixtures)
    parts, definitions = [], []
    for row, control in enumerate(controls):
        for column, mixture in enumerate(mixtures):
            x, y = LEFT + column * (panel_width + GAP), TOP + row * (PANEL_HEIGHT + GAP)
            x_scale = Scale(*x_range, x, x + panel_width)
            y_scale = Scale(*y_range, y + PANEL_HEIGHT, y)
            clip = f"panel-{row}-{column}"
            definitions.append(tag("clipPath", tag("rect", x=f"{x:.1f}", y=f"{y:.1f}", width=f"{panel_width:.1f}",
                                                   height=PANEL_HEIGHT), id=clip))
            parts += frame(x_scale, y_scale, ticks, row == len(controls) - 1, column == 0)
            parts += slope_fan(x_scale, y_scale)
            drawn = [curve(shown[mixture, control, solver], styles[solver], x_scale, y_scale, solver)
                     for solver in styles if (mixture, control, solver) in shown]
            parts.append(tag("g", "".join(drawn), clip_path=f"url(#{clip})"))
            parts.append(label(x + 10, y + PANEL_HEIGHT - 10, control, font_weight="bold", fill="#444444"))
            if row == 0:
                parts.append(label(x + panel_width / 2, y - 10, MIXTURE_TITLES.get(mixture, mixture), text_anchor="middle"))
    bottom = TOP + len(controls) * (PANEL_HEIGHT + GAP) - GAP
    parts.append(label((LEFT + WIDTH - RIGHT) / 2, bottom + 38, "evaluations of the denoiser a sample (NFE)",
                       text_anchor="middle"))
    middle = (TOP + bottom) / 2
    parts.append(label(24, middle, "RMSE to the exact flow", text_anchor="middle", transform=f"rotate(-90 24 {middle:.1f})"))
    parts.append(label(LEFT, 26, title, font_size=18, font_weight="bold"))
    legend_parts, legend_height = legend([(text, styles[solver]) for solver, text in entries], bottom + 66)
    parts += legend_parts
    height = bottom + 66 + legend_height
    background = tag("rect", width=WIDTH, height=height, fill="#ffffff")
    return tag("svg", tag("defs", "".join(definitions)) + background + "\n".join(parts) + "\n",
               xmlns="http://www.w3.org/2000/svg", viewBox=f"0 0 {WIDTH} {height}", width=WIDTH, height=height,
               font_family="system-ui, 'Segoe UI', Helvetica, Arial, sans-serif", font_size=13, fill="#222222") + "\n"


def legend_text(names, others, order):
    text = " = ".join(names)
    if others:
        text += f" (= {others[0]})"
    return text + (f"  [{order}]" if order else "")


def grid_entries(family, solvers, all_curves):
    """One entry for each distinct curve; a stochastic method also names the deterministic one that it has become."""
    order_of = {solver.name: solver.start_order for solver in solvers}
    family_of = {solver.name: solver.family for solver in solvers if solver.fixed}
    entries = []
    for group in coinciding_groups(list(family_of), all_curves):
        own = [name for name in group if family_of[name] == family]
        others = [name for name in group if family_of[name] != family] if family == "stochastic" else []
        if own:
            order = next((order_of[name] for name in group if order_of[name]), None)
            entries.append((own[0], legend_text(own, others, order)))
    return entries


def policy_entries(solvers, all_curves):
    order_of = {solver.name: solver.order for solver in solvers if not solver.fixed}
    return [(group[0], legend_text(group, [], order_of[group[0]]))
            for group in coinciding_groups(list(order_of), all_curves, POLICIES)]


def write_figures(folder, solvers, rows, mixtures):
    """File names of the figures, by family."""
    folder.mkdir(parents=True, exist_ok=True)
    all_curves = curves(rows)
    measured = {key[1] for key in all_curves}
    written = {}
    for family, title in FAMILIES.items():
        under_policies = family == "adaptive"
        controls = [name for name in (POLICIES if under_policies else GRIDS) if name in measured]
        if under_policies:
            entries = policy_entries(solvers, all_curves)
        else:
            entries = grid_entries(family, solvers, all_curves)
        if not entries or not controls:
            continue
        axes = (POLICY_RANGE, POLICY_TICKS) if under_policies else (GRID_RANGE, GRID_TICKS)
        name = f"work-precision-{family}.svg"
        (folder / name).write_text(figure(title, entries, all_curves, mixtures, controls, *axes))
        written[family] = name
    return written
