//! Rows of bars: one row a thing that has a name, one part of a row a share of it.

use maud::{Markup, html};

use super::{LETTER, TOP, Tone, legend, short};

/// One row: its name, its parts from left to right, and what stands behind them.
#[derive(Debug, Clone)]
pub struct Row {
    pub label: String,
    pub parts: Vec<Part>,
    pub shown: String,
}

#[derive(Debug, Clone)]
pub struct Part {
    pub tone: Tone,
    /// From 0; all parts of all rows in one measure.
    pub value: f64,
    /// Shown when the pointer rests on it.
    pub says: String,
}

const WIDTH: f64 = 680.0;
const LINE: f64 = 21.0;
/// Room for names; longer ones are cut.
const MOST_LETTERS: usize = 34;

/// Rows in the order given, the longest of them filling the width. `legend` names the tones.
#[must_use]
pub fn rows(title: &str, says: &str, legend_of: &[(&str, Tone)], rows: &[Row]) -> Markup {
    let length = |row: &Row| row.parts.iter().map(|part| part.value.max(0.0)).sum::<f64>();
    let longest = rows.iter().map(length).fold(f64::MIN_POSITIVE, f64::max);
    let letters = |text: &str| text.chars().count();
    let names = rows.iter().map(|row| letters(&row.label).min(MOST_LETTERS)).max().unwrap_or(0);
    let figures = rows.iter().map(|row| letters(&row.shown)).max().unwrap_or(0);
    let left = names as f64 * LETTER + 12.0;
    let most = (WIDTH - left - figures as f64 * LETTER - 14.0).max(60.0);
    let (legend, lines) = legend(legend_of.iter().map(|(name, tone)| (*name, *tone, false)), left, WIDTH);
    let top = if lines > 0.0 { TOP + lines * 16.0 } else { 2.0 };
    let height = top + rows.len() as f64 * LINE + 4.0;
    html! {
        figure.wide {
            figcaption { (title) }
            svg viewBox=(format!("0 0 {WIDTH} {height}")) role="img" aria-label=(title) {
                desc { (says) }
                (legend)
                @for (at, row) in rows.iter().enumerate() {
                    (line(row, (left, top + at as f64 * LINE), most / longest))
                }
            }
        }
    }
}

fn line(row: &Row, (left, top): (f64, f64), unit: f64) -> Markup {
    let mut x = left;
    let mut placed = Vec::with_capacity(row.parts.len());
    for part in &row.parts {
        let width = part.value.max(0.0) * unit;
        placed.push((part, x, width));
        x += width;
    }
    html! {
        text.strong x=(short(left - 6.0)) y=(short(top + 13.0)) text-anchor="end" { (cut(&row.label)) }
        @for (part, x, width) in placed {
            rect x=(short(x)) y=(short(top + 2.0)) width=(short(width)) height="15" class=(format!("fill {}", part.tone.class())) {
                @if !part.says.is_empty() { title { (part.says) } }
            }
        }
        text x=(short(x + 6.0)) y=(short(top + 13.0)) { (row.shown) }
    }
}

fn cut(label: &str) -> String {
    if label.chars().count() <= MOST_LETTERS {
        return label.to_owned();
    }
    label.chars().take(MOST_LETTERS - 1).chain(['…']).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rows_share_one_measure_and_parts_stand_side_by_side() {
        let part = |tone, value| Part { tone, value, says: String::new() };
        let row = |label: &str, parts| Row { label: label.to_owned(), parts, shown: "n".to_owned() };
        let drawn = rows(
            "By reason",
            "",
            &[("good", Tone::Good), ("bad", Tone::Bad)],
            &[
                row("a", vec![part(Tone::Good, 3.0), part(Tone::Bad, 1.0)]),
                row("b", vec![part(Tone::Bad, 2.0)]),
            ],
        );
        let drawn = drawn.into_string();
        let widths: Vec<f64> = drawn
            .split("<rect ")
            .skip(3)
            .filter_map(|rect| rect.split("width=\"").nth(1)?.split('"').next()?.parse().ok())
            .collect();
        assert_eq!(widths.len(), 3, "{drawn}");
        assert!((widths[0] - 3.0 * widths[1]).abs() < 0.2 && (widths[2] - 2.0 * widths[1]).abs() < 0.2);
        assert!((widths[0] + widths[1] - (WIDTH - 2.0 * LETTER - 26.0)).abs() < 0.2, "{widths:?}");
    }

    #[test]
    fn a_name_that_is_too_long_is_cut() {
        assert_eq!(cut(&"x".repeat(40)).chars().count(), MOST_LETTERS);
        assert!(cut(&"x".repeat(40)).ends_with('…'));
    }
}
