"""Small line charts as SVG, both axes logarithmic; they need nothing but a browser."""
import html
import math

WIDTH, HEIGHT = 640, 380
LEFT, RIGHT, TOP, BOTTOM = 80, 20, 46, 56
COLOURS = ("#0b6e99", "#d9730d", "#448361", "#9065b0")


def decades(low, high):
    """Powers of ten from below `low` to above `high`."""
    first, last = math.floor(math.log10(low)), math.ceil(math.log10(high))
    return first, max(last, first + 1)


def short(value):
    for size, unit in ((1e9, "G"), (1e6, "M"), (1e3, "k")):
        if value >= size:
            return f"{value / size:g}{unit}"
    return f"{value:g}"


def chart(title, x_label, y_label, series):
    """series: {name: [(x, y), ...]}, all positive. Returns the SVG text."""
    xs = [x for points in series.values() for x, _ in points]
    ys = [y for points in series.values() for _, y in points]
    x0, x1 = decades(min(xs), max(xs))
    y0, y1 = decades(min(ys), max(ys))

    def at(x, y):
        return (LEFT + (math.log10(x) - x0) / (x1 - x0) * (WIDTH - LEFT - RIGHT),
                HEIGHT - BOTTOM - (math.log10(y) - y0) / (y1 - y0) * (HEIGHT - TOP - BOTTOM))

    def text(x, y, what, **style):
        more = "".join(f' {key.replace("_", "-")}="{value}"' for key, value in style.items())
        return f'<text x="{x:.0f}" y="{y:.0f}"{more}>{html.escape(what)}</text>'
    out = [f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {WIDTH} {HEIGHT}" font-family="sans-serif" font-size="12">',
           f'<rect width="{WIDTH}" height="{HEIGHT}" fill="white"/>', text(LEFT, 18, title, font_size=14, font_weight="bold")]
    for power in range(x0, x1 + 1):
        x, y = at(10 ** power, 10 ** y0)
        out.append(f'<path d="M{x:.1f} {y:.1f}V{TOP}" stroke="#ddd"/>')
        out.append(text(x, y + 18, short(10 ** power), text_anchor="middle"))
    for power in range(y0, y1 + 1):
        x, y = at(10 ** x0, 10 ** power)
        out.append(f'<path d="M{x:.1f} {y:.1f}H{WIDTH - RIGHT}" stroke="#ddd"/>')
        out.append(text(x - 6, y + 4, short(10 ** power), text_anchor="end"))
    out.append(text((LEFT + WIDTH - RIGHT) / 2, HEIGHT - 14, x_label, text_anchor="middle"))
    out.append(text(0, 0, y_label, text_anchor="middle", transform=f"translate(18 {(TOP + HEIGHT - BOTTOM) / 2:.0f}) rotate(-90)"))
    for number, (name, points) in enumerate(series.items()):
        colour = COLOURS[number % len(COLOURS)]
        places = [at(x, y) for x, y in sorted(points)]
        out.append(f'<polyline points="{" ".join(f"{x:.1f},{y:.1f}" for x, y in places)}" fill="none" stroke="{colour}" stroke-width="2"/>')
        out += [f'<circle cx="{x:.1f}" cy="{y:.1f}" r="3.5" fill="{colour}"/>' for x, y in places]
        out.append(f'<rect x="{LEFT + number * 250}" y="27" width="12" height="12" fill="{colour}"/>')
        out.append(text(LEFT + number * 250 + 18, 38, name))
    return "\n".join(out + ["</svg>"]) + "\n"
