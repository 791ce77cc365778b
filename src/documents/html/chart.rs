//! Charts as inline SVG: lines, points, bars and rows of bars, with axes that end at round numbers. Each has a title that
//! is seen, and a description for those who listen; what the pointer rests on says its figures. No script, and no
//! meaning: what is drawn in which tone is for whoever asks.

mod axis;
mod rows;

use std::cell::RefCell;

use maud::{Markup, html};

pub use axis::{Axis, Unit, grouped};
pub use rows::{Part, Row, rows};

/// What a colour stands for; each is told from the others without colour too, by its dashes or its place.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Tone {
    Plain,
    /// Beside `Plain`: what is compared with it.
    Second,
    Good,
    Middle,
    Bad,
    Faint,
}

impl Tone {
    /// Of an answer by its place from mildest (0) to strictest.
    #[must_use]
    pub fn of_rank(rank: usize, of: usize) -> Self {
        match rank {
            0 => Self::Good,
            last if last + 1 >= of => Self::Bad,
            _ => Self::Middle,
        }
    }

    pub(super) fn class(self) -> &'static str {
        match self {
            Self::Plain => "plain",
            Self::Second => "second",
            Self::Good => "good",
            Self::Middle => "middle",
            Self::Bad => "bad",
            Self::Faint => "faint",
        }
    }
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Size {
    /// Several stand side by side.
    Small,
    Wide,
}

/// One chart over two axes.
#[derive(Debug, Clone)]
pub struct Chart<'a> {
    pub title: &'a str,
    /// What it shows, for those who cannot see it.
    pub says: String,
    pub across: Axis<'a>,
    pub up: Axis<'a>,
    pub size: Size,
    /// Drawn in this order.
    pub marks: Vec<Mark<'a>>,
}

/// One thing drawn. What has a name stands in the legend.
#[derive(Debug, Clone)]
pub enum Mark<'a> {
    Line {
        name: Option<&'a str>,
        tone: Tone,
        points: Vec<(f64, f64)>,
    },
    Points {
        name: Option<&'a str>,
        tone: Tone,
        points: Vec<Point>,
    },
    Bars {
        name: Option<&'a str>,
        tone: Tone,
        bars: Vec<Bar>,
    },
    /// A dashed line between two places.
    Guide {
        from: (f64, f64),
        to: (f64, f64),
    },
    /// A dashed line from bottom to top, with a word beside it.
    Upright {
        at: f64,
        label: &'a str,
    },
}

#[derive(Debug, Clone)]
pub struct Point {
    pub at: (f64, f64),
    /// Shown when the pointer rests on it.
    pub says: String,
    /// Written beside it.
    pub label: Option<String>,
}

/// From `from` to `to` across, from `low` to `high` up: bars on top of others have their `low` at the others' `high`.
#[derive(Debug, Clone)]
pub struct Bar {
    pub from: f64,
    pub to: f64,
    pub low: f64,
    pub high: f64,
    /// Shown when the pointer rests on it.
    pub says: String,
}

/// Room around the drawing, in units of the picture.
const LEFT: f64 = 50.0;
const RIGHT: f64 = 12.0;
const TOP: f64 = 10.0;
const BOTTOM: f64 = 38.0;
const LEGEND_LINE: f64 = 16.0;
/// The width of a letter, more or less.
const LETTER: f64 = 6.2;

/// Where the drawing lies in the picture.
struct Frame<'c, 'a> {
    chart: &'c Chart<'a>,
    width: f64,
    height: f64,
    top: f64,
    /// Where words stand already.
    taken: RefCell<Vec<Spot>>,
}

/// Room that a word takes: from left to right, from top to bottom.
#[derive(Debug, Clone, Copy)]
struct Spot {
    across: (f64, f64),
    down: (f64, f64),
}

impl Spot {
    fn meets(&self, other: &Self) -> bool {
        let meet = |one: (f64, f64), other: (f64, f64)| one.0 < other.1 && other.0 < one.1;
        meet(self.across, other.across) && meet(self.down, other.down)
    }
}

impl Chart<'_> {
    /// The chart, ready to stand in a page.
    #[must_use]
    pub fn draw(&self) -> Markup {
        let (class, width, height) = match self.size {
            Size::Small => ("small", 300.0, 270.0),
            Size::Wide => ("wide", 680.0, 330.0),
        };
        let names = self.marks.iter().filter_map(|mark| match mark {
            Mark::Line { name, tone, .. } => Some(((*name)?, *tone, true)),
            Mark::Points { name, tone, .. } | Mark::Bars { name, tone, .. } => Some(((*name)?, *tone, false)),
            Mark::Guide { .. } | Mark::Upright { .. } => None,
        });
        let (legend, lines) = legend(names, LEFT, width);
        let taken = RefCell::new(Vec::new());
        let frame = Frame { chart: self, width, height, top: TOP + lines * LEGEND_LINE, taken };
        html! {
            figure class=(class) {
                figcaption { (self.title) }
                svg viewBox=(format!("0 0 {width} {height}")) role="img" aria-label=(self.title) {
                    desc { (self.says) }
                    (legend)
                    (frame.axes())
                    @for mark in &self.marks { (frame.mark(mark)) }
                }
            }
        }
    }
}

/// The names with a sample of each, in as many lines as they take.
fn legend<'n>(names: impl Iterator<Item = (&'n str, Tone, bool)>, left: f64, width: f64) -> (Markup, f64) {
    let (mut placed, mut x, mut line) = (Vec::new(), left, 0.0);
    for (name, tone, is_line) in names {
        let length = name.chars().count() as f64 * LETTER + 34.0;
        if x > left && x + length > width {
            x = left;
            line += 1.0;
        }
        placed.push((name, tone, is_line, x, TOP + line * LEGEND_LINE));
        x += length;
    }
    let lines = if placed.is_empty() { 0.0 } else { line + 1.0 };
    let markup = html! {
        @for (name, tone, is_line, x, y) in placed {
            @if is_line { line x1=(x) y1=(y) x2=(x + 16.0) y2=(y) class=(format!("line {}", tone.class())) {} }
            @else { rect x=(x + 3.0) y=(y - 5.0) width="10" height="10" class=(format!("fill {}", tone.class())) {} }
            text x=(x + 20.0) y=(y + 4.0) { (name) }
        }
    };
    (markup, lines)
}

impl Frame<'_, '_> {
    /// Places beyond an axis stand at its end.
    fn x(&self, value: f64) -> f64 {
        LEFT + self.chart.across.share(value) * (self.width - LEFT - RIGHT)
    }

    fn y(&self, value: f64) -> f64 {
        let bottom = self.height - BOTTOM;
        bottom - self.chart.up.share(value) * (bottom - self.top)
    }

    fn axes(&self) -> Markup {
        let (bottom, right) = (self.height - BOTTOM, self.width - RIGHT);
        let (across, up) = (&self.chart.across, &self.chart.up);
        let letters = |axis: &Axis<'_>| axis.ticks(5).iter().map(|tick| tick.says.len()).max().unwrap_or(1);
        let most = ((right - LEFT) / (letters(across) as f64 * LETTER + 14.0)).clamp(2.0, 10.0);
        #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "2 to 10")]
        let most = most as usize;
        let middle = (self.top + bottom) / 2.0;
        html! {
            rect x=(LEFT) y=(self.top) width=(right - LEFT) height=(bottom - self.top) class="frame" {}
            @for tick in across.ticks(most) {
                @let x = short(self.x(tick.at));
                line x1=(x) y1=(bottom) x2=(x) y2=(bottom + 4.0) class="frame" {}
                @let (anchor, x) = self.below(self.x(tick.at), &tick.says);
                text x=(short(x)) y=(bottom + 15.0) text-anchor=(anchor) { (tick.says) }
            }
            @for tick in up.ticks(6) {
                @let y = self.y(tick.at);
                line x1=(LEFT) y1=(short(y)) x2=(right) y2=(short(y)) class="grid" {}
                text x=(LEFT - 5.0) y=(short(y + 4.0)) text-anchor="end" { (tick.says) }
            }
            text x=((LEFT + right) / 2.0) y=(self.height - 6.0) text-anchor="middle" { (across.label) }
            text x="10" y=(middle) text-anchor="middle" transform=(format!("rotate(-90 10 {middle})")) { (up.label) }
        }
    }

    fn mark(&self, mark: &Mark<'_>) -> Markup {
        match mark {
            Mark::Line { tone, points, .. } => {
                let places = points.iter().map(|(x, y)| format!("{:.1},{:.1}", self.x(*x), self.y(*y)));
                let places = places.collect::<Vec<_>>().join(" ");
                html! { polyline points=(places) class=(format!("line {}", tone.class())) {} }
            }
            Mark::Points { tone, points, .. } => {
                html! { @for point in points { (self.point(*tone, point)) } }
            }
            Mark::Bars { tone, bars, .. } => html! { @for bar in bars { (self.bar(*tone, bar)) } },
            Mark::Guide { from, to } => html! {
                line x1=(short(self.x(from.0))) y1=(short(self.y(from.1))) x2=(short(self.x(to.0))) y2=(short(self.y(to.1)))
                    class="guide" {}
            },
            Mark::Upright { at, label } => {
                let x = self.x(*at);
                let rows = [11.0, 24.0, 37.0, 50.0].map(|down| self.top + down);
                let (anchor, beside, y) = self.free(x, &rows, label);
                html! {
                    line x1=(short(x)) y1=(self.top) x2=(short(x)) y2=(self.height - BOTTOM) class="guide" {}
                    text.strong x=(short(beside)) y=(y) text-anchor=(anchor) { (label) }
                }
            }
        }
    }

    fn point(&self, tone: Tone, point: &Point) -> Markup {
        let (x, y) = (self.x(point.at.0), self.y(point.at.1));
        html! {
            circle cx=(short(x)) cy=(short(y)) r="3.5" class=(format!("fill {}", tone.class())) {
                @if !point.says.is_empty() { title { (point.says) } }
            }
            @if let Some(label) = &point.label {
                @let rows = [(y - 6.0).max(self.top + 9.0), y + 15.0, y - 19.0, y + 28.0];
                @let (anchor, beside, y) = self.free(x, &rows, label);
                text.strong x=(short(beside)) y=(short(y)) text-anchor=(anchor) { (label) }
            }
        }
    }

    fn bar(&self, tone: Tone, bar: &Bar) -> Markup {
        let (left, right) = (self.x(bar.from), self.x(bar.to));
        let (top, bottom) = (self.y(bar.high), self.y(bar.low));
        html! {
            rect x=(short(left)) y=(short(top)) width=(short((right - left).max(0.0))) height=(short((bottom - top).max(0.0)))
                class=(format!("fill {}", tone.class())) {
                @if !bar.says.is_empty() { title { (bar.says) } }
            }
        }
    }

    /// Where a word beside a place covers no other: in the first of these rows that is free, else in the first.
    fn free(&self, x: f64, rows: &[f64], word: &str) -> (&'static str, f64, f64) {
        let (anchor, beside) = self.beside(x, word);
        let length = word.chars().count() as f64 * LETTER;
        let across = if anchor == "end" { (beside - length, beside) } else { (beside, beside + length) };
        let spot = |y: f64| Spot { across, down: (y - 9.0, y + 3.0) };
        let mut taken = self.taken.borrow_mut();
        let is_free =
            |y: &&f64| **y < self.height - BOTTOM && !taken.iter().any(|other| other.meets(&spot(**y)));
        let y = rows.iter().find(is_free).or(rows.first()).copied().unwrap_or(self.top);
        taken.push(spot(y));
        (anchor, beside, y)
    }

    /// Under a place, or as far to its left as the picture's end asks for.
    fn below(&self, x: f64, word: &str) -> (&'static str, f64) {
        let half = word.chars().count() as f64 * LETTER / 2.0;
        if x + half > self.width { ("end", self.width) } else { ("middle", x) }
    }

    /// On which side of a place a word has room.
    fn beside(&self, x: f64, word: &str) -> (&'static str, f64) {
        let length = word.chars().count() as f64 * LETTER;
        if x + 6.0 + length > self.width - RIGHT && x - 6.0 - length > LEFT {
            ("end", x - 6.0)
        } else {
            ("start", x + 6.0)
        }
    }
}

/// A place in the picture: a tenth of a unit is less than can be seen.
fn short(place: f64) -> String {
    format!("{place:.1}")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn chart(marks: Vec<Mark<'_>>) -> String {
        let across = Axis::over("cut-off", [0.0, 1.0], Unit::Number);
        let up = Axis::over("rows", [0.0, 950.0], Unit::Number);
        let chart =
            Chart { title: "A <chart>", says: "rows".to_owned(), across, up, size: Size::Wide, marks };
        chart.draw().into_string()
    }

    #[test]
    fn places_follow_the_axes_and_what_lies_beyond_them_stands_at_their_end() {
        let drawn = chart(vec![Mark::Line {
            name: Some("all"),
            tone: Tone::Plain,
            points: vec![(0.0, 0.0), (0.5, 500.0), (2.0, 5000.0)],
        }]);
        // 1,000 is the end of the upper axis; one line of legend stands above the frame.
        assert!(drawn.contains("points=\"50.0,292.0 359.0,159.0 668.0,26.0\""), "{drawn}");
        assert!(drawn.contains("1,000") && drawn.contains(">all<"), "{drawn}");
    }

    #[test]
    fn what_is_put_in_is_escaped_and_figures_are_said_at_their_mark() {
        let bar = Bar { from: 0.1, to: 0.2, low: 0.0, high: 10.0, says: "10 rows & <more>".to_owned() };
        let drawn = chart(vec![Mark::Bars { name: None, tone: Tone::Bad, bars: vec![bar] }]);
        assert!(drawn.contains("A &lt;chart&gt;") && !drawn.contains("<chart"), "{drawn}");
        assert!(drawn.contains("<title>10 rows &amp; &lt;more&gt;</title>"), "{drawn}");
    }

    #[test]
    fn a_word_turns_to_the_side_where_it_has_room() {
        let drawn = chart(vec![
            Mark::Upright { at: 0.1, label: "low" },
            Mark::Upright { at: 1.0, label: "max_default_risk" },
        ]);
        assert!(drawn.contains("text-anchor=\"start\">low<"), "{drawn}");
        assert!(drawn.contains("text-anchor=\"end\">max_default_risk<"), "{drawn}");
    }

    #[test]
    fn words_do_not_cover_each_other_and_none_is_cut() {
        let point =
            |label: &str| Point { at: (0.5, 500.0), says: String::new(), label: Some(label.to_owned()) };
        let drawn = chart(vec![
            Mark::Points { name: None, tone: Tone::Plain, points: vec![point("one"), point("two")] },
            Mark::Upright { at: 0.5, label: "three" },
            Mark::Upright { at: 0.5, label: "four" },
        ]);
        let row = |word: &str| {
            let before = drawn.split(&format!(">{word}<")).next().unwrap();
            before.rsplit(" y=\"").next().unwrap().split('"').next().unwrap().parse::<f64>().unwrap()
        };
        assert!(
            (row("one") - row("two")).abs() > 12.0 && (row("three") - row("four")).abs() > 12.0,
            "{drawn}"
        );
        let across = Axis::whole("share", Unit::Share);
        let chart = Chart {
            title: "t",
            says: String::new(),
            up: across.clone(),
            across,
            size: Size::Wide,
            marks: Vec::new(),
        };
        let drawn = chart.draw().into_string();
        assert!(drawn.contains("x=\"680.0\" y=\"307\" text-anchor=\"end\">100 %<"), "{drawn}");
        assert!(drawn.contains("text-anchor=\"middle\">50 %<"), "{drawn}");
    }

    #[test]
    fn the_strictest_is_bad_the_mildest_good_and_the_others_lie_between() {
        let tones = |of: usize| (0..of).map(|rank| Tone::of_rank(rank, of)).collect::<Vec<_>>();
        assert_eq!(tones(3), [Tone::Good, Tone::Middle, Tone::Bad]);
        assert_eq!(tones(2), [Tone::Good, Tone::Bad]);
    }
}
