//! Where everything of a picture goes. What a script does is nested, so the picture is: what follows stands below,
//! what is chosen between stands side by side, and each part keeps a rectangle of its own. Nothing can overlap, and
//! nothing has to be searched for: a general layout of graphs would place the same picture less regularly.

use unicode_width::UnicodeWidthStr as _;

/// Width of one column of the monospaced text, in the units of the picture.
pub(super) const COLUMN: f64 = 7.3;
pub(super) const LINE: f64 = 17.0;
const PADDING: f64 = 10.0;
const GAP: f64 = 26.0;
const BETWEEN: f64 = 22.0;
/// Columns after which a line of text goes on in the next.
const WIDEST: usize = 46;

/// What a box means, and so how it looks.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Look {
    Edge,
    Step,
    Plain,
    Asks,
    Mildest,
    Between,
    Strictest,
}

#[derive(Debug, Clone, PartialEq)]
pub(super) enum Shape {
    Box {
        id: Option<String>,
        x: f64,
        y: f64,
        width: f64,
        height: f64,
        lines: Vec<String>,
        look: Look,
    },
    /// Corners of a line; an arrow at its end if it leads to something.
    Line {
        points: Vec<(f64, f64)>,
        arrow: bool,
    },
    /// Text beside a line.
    Label {
        x: f64,
        y: f64,
        text: String,
    },
    /// The frame around a loop.
    Frame {
        x: f64,
        y: f64,
        width: f64,
        height: f64,
    },
    /// What an evaluation came through, or did not.
    Marked(Mark, Box<Shape>),
}

/// Whether an evaluation came here.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Mark {
    Taken,
    Left,
}

/// One way on from a choice.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Way {
    pub label: String,
    pub part: Part,
    pub mark: Option<Mark>,
}

/// A part of the picture: entered at the top and left at the bottom, both at `axis`.
#[derive(Debug, Clone, PartialEq, Default)]
pub(super) struct Part {
    pub width: f64,
    pub height: f64,
    pub axis: f64,
    pub shapes: Vec<Shape>,
    /// Nothing follows it.
    pub ends: bool,
}

/// Breaks a text at blanks (or anywhere, where there is none) into lines that fit.
pub(super) fn wrapped(text: &str) -> Vec<String> {
    let mut lines = Vec::new();
    let mut line = String::new();
    for word in text.split(' ') {
        if !line.is_empty() && line.width() + 1 + word.width() > WIDEST {
            lines.push(std::mem::take(&mut line));
            line.push_str("  ");
        } else if !line.is_empty() {
            line.push(' ');
        }
        for c in word.chars().filter(|c| !c.is_control()) {
            if line.width() >= WIDEST {
                lines.push(std::mem::take(&mut line));
                line.push_str("  ");
            }
            line.push(c);
        }
    }
    lines.push(line);
    lines
}

fn moved(shape: Shape, dx: f64, dy: f64) -> Shape {
    match shape {
        Shape::Box { id, x, y, width, height, lines, look } => {
            Shape::Box { id, x: x + dx, y: y + dy, width, height, lines, look }
        }
        Shape::Line { points, arrow } => {
            Shape::Line { points: points.into_iter().map(|(x, y)| (x + dx, y + dy)).collect(), arrow }
        }
        Shape::Label { x, y, text } => Shape::Label { x: x + dx, y: y + dy, text },
        Shape::Frame { x, y, width, height } => Shape::Frame { x: x + dx, y: y + dy, width, height },
        Shape::Marked(mark, shape) => Shape::Marked(mark, Box::new(moved(*shape, dx, dy))),
    }
}

fn marked(shapes: Vec<Shape>, mark: Mark) -> Vec<Shape> {
    let one = |shape| match shape {
        Shape::Marked(..) => shape,
        shape => Shape::Marked(mark, Box::new(shape)),
    };
    shapes.into_iter().map(one).collect()
}

impl Part {
    /// One box, as large as its text.
    pub(super) fn of_text(id: Option<&str>, texts: &[String], look: Look) -> Self {
        let lines: Vec<String> = texts.iter().flat_map(|text| wrapped(text)).collect();
        let columns = lines.iter().map(|line| line.width()).max().unwrap_or_default();
        let width = columns_wide(columns) + 2.0 * PADDING;
        let height = rows_high(lines.len()) + 2.0 * PADDING;
        let id = id.map(str::to_owned);
        let shapes = vec![Shape::Box { id, x: 0.0, y: 0.0, width, height, lines, look }];
        Self { width, height, axis: width / 2.0, shapes, ends: false }
    }

    /// The same, marked; what is marked already stays as it is.
    pub(super) fn marked(mut self, mark: Mark) -> Self {
        self.shapes = marked(self.shapes, mark);
        self
    }

    /// Nothing, as wide as a line needs.
    fn passage() -> Self {
        Self { width: 2.0 * BETWEEN, height: 0.0, axis: BETWEEN, shapes: Vec::new(), ends: false }
    }

    fn take(&mut self, other: Self, dx: f64, dy: f64) {
        self.shapes.extend(other.shapes.into_iter().map(|shape| moved(shape, dx, dy)));
    }

    /// Parts below each other, joined by arrows.
    pub(super) fn stacked(parts: Vec<Self>) -> Self {
        let axis = parts.iter().map(|part| part.axis).fold(0.0, f64::max);
        let right = parts.iter().map(|part| part.width - part.axis).fold(0.0, f64::max);
        let mut all = Self { width: axis + right, axis, ..Self::default() };
        let mut is_first = true;
        for part in parts {
            if !is_first {
                if !all.ends {
                    let points = vec![(axis, all.height), (axis, all.height + GAP)];
                    all.shapes.push(Shape::Line { points, arrow: true });
                }
                all.height += GAP;
            }
            is_first = false;
            all.ends = part.ends;
            let (dx, dy) = (axis - part.axis, all.height);
            all.height += part.height;
            all.take(part, dx, dy);
        }
        all
    }

    /// A box to choose at, and the ways from it side by side, each under its label; ways that go on meet again.
    /// A way without anything in it is a line.
    pub(super) fn chosen(head: Self, ways: Vec<Way>) -> Self {
        let ways: Vec<(Vec<String>, Self, Option<Mark>)> = ways
            .into_iter()
            .map(|Way { label, part, mark }| {
                let part = if part.shapes.is_empty() { Self::passage() } else { part };
                (wrapped(&label), part, mark)
            })
            .collect();
        let labels = ways.iter().map(|(label, _, _)| rows_high(label.len())).fold(0.0, f64::max);
        // A label stands to the right of its line: the column must hold it.
        let sides = |(label, part, _): &(Vec<String>, Self, Option<Mark>)| {
            let columns = label.iter().map(|line| line.width()).max().unwrap_or_default();
            let right = (part.width - part.axis).max(columns_wide(columns) + PADDING);
            (part.axis, right)
        };
        let total: f64 = ways.iter().map(|way| sides(way).0 + sides(way).1 + BETWEEN).sum::<f64>() - BETWEEN;
        let width = total.max(head.width);
        let axis = width / 2.0;
        let mut all = Self { width, height: head.height, axis, ..Self::default() };
        let dx = axis - head.axis;
        all.take(head, dx, 0.0);
        let fork = all.height + GAP / 2.0;
        let top = fork + labels + GAP;
        let tallest = ways.iter().map(|(_, part, _)| part.height).fold(0.0, f64::max);
        let meet = top + tallest + GAP / 2.0;
        all.ends = ways.iter().all(|(_, part, _)| part.ends);
        let mut left = (width - total) / 2.0;
        for way in ways {
            let (before, after) = sides(&way);
            let (label, part, mark) = way;
            let outside = std::mem::take(&mut all.shapes);
            let x = left + before;
            left += before + after + BETWEEN;
            let is_empty = part.shapes.is_empty();
            let points = vec![(axis, all.height), (axis, fork), (x, fork), (x, top)];
            all.shapes.push(Shape::Line { points, arrow: !is_empty });
            for (index, text) in label.into_iter().enumerate() {
                let y = fork + rows_high(index + 1);
                all.shapes.push(Shape::Label { x: x + PADDING / 2.0, y, text });
            }
            if !part.ends {
                let points = vec![(x, top + part.height), (x, meet), (axis, meet)];
                all.shapes.push(Shape::Line { points, arrow: false });
            }
            let dx = x - part.axis;
            all.take(part, dx, top);
            let way = std::mem::replace(&mut all.shapes, outside);
            all.shapes.extend(match mark {
                Some(mark) => marked(way, mark),
                None => way,
            });
        }
        all.height = if all.ends { meet - GAP / 2.0 } else { meet };
        all
    }

    /// A header and what is repeated, in a frame.
    pub(super) fn repeated(head: Self, body: Self) -> Self {
        let ends = false;
        let inner = if body.shapes.is_empty() { head } else { Self::stacked(vec![head, body]) };
        let mut all = Self {
            width: inner.width + 2.0 * PADDING,
            height: inner.height + 2.0 * PADDING,
            axis: inner.axis + PADDING,
            shapes: Vec::new(),
            ends,
        };
        let (width, height) = (all.width, all.height);
        all.shapes.push(Shape::Frame { x: 0.0, y: 0.0, width, height });
        all.take(inner, PADDING, PADDING);
        all
    }

    /// Parts side by side, with nothing between them.
    pub(super) fn beside(parts: Vec<Self>) -> Self {
        let mut all = Self::default();
        for part in parts {
            let dx = if all.width > 0.0 { all.width + 2.0 * BETWEEN } else { 0.0 };
            all.width = dx + part.width;
            all.height = all.height.max(part.height);
            all.take(part, dx, 0.0);
        }
        all
    }
}

fn columns_wide(columns: usize) -> f64 {
    f64::from(u32::try_from(columns).unwrap_or(u32::MAX)) * COLUMN
}

fn rows_high(rows: usize) -> f64 {
    f64::from(u32::try_from(rows).unwrap_or(u32::MAX)) * LINE
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_long_text_is_broken_at_blanks_or_where_it_must() {
        assert_eq!(wrapped("age < min_age"), ["age < min_age"]);
        let long = wrapped(&"word ".repeat(30));
        assert!(long.len() > 2 && long.iter().all(|line| line.width() <= WIDEST), "{long:?}");
        let solid = wrapped(&"x".repeat(100));
        assert!(solid.iter().all(|line| line.width() <= WIDEST), "{solid:?}");
        let letters: usize = solid.iter().map(|line| line.matches('x').count()).sum();
        assert_eq!(letters, 100);
    }
}
