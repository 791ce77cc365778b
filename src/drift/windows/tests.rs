//! Hours and days pass as the calls say; nothing is counted twice or lost at their borders.

use serde_json::json;

use super::*;
use crate::domain::value::Value;
use crate::drift::tests::age_model;

fn layout() -> Layout {
    let reference = json!({
        "score": { "edges": [0.5], "counts": [5, 5], "missing": 0, "unseen": 0 },
        "inputs": [{ "input": "age", "edges": [30.0], "counts": [5, 5], "missing": 0, "unseen": 0 }],
    });
    Layout::read(&age_model(), &reference).unwrap()
}

fn at(time: &str) -> Timestamp {
    format!("2026-11-{time}Z").parse().unwrap()
}

/// Rows in each window, in the order of `Window::ALL`.
fn rows(windows: &Windows, layout: &Layout, time: &str) -> [u64; 4] {
    Window::ALL.map(|window| windows.counts(layout, window, at(time)).rows())
}

fn count(windows: &Windows, layout: &Layout, times: &[&str]) {
    for time in times {
        windows.hour(layout, at(time)).tally.row(layout, &[Value::Integer(40)], 0.25);
    }
}

#[test]
fn hours_and_days_turn_at_their_borders() {
    let layout = layout();
    let windows = Windows::new(&layout, at("20T10:30:00"));
    count(&windows, &layout, &["20T10:30:00", "20T10:59:59.999999999"]);
    assert_eq!(rows(&windows, &layout, "20T10:59:59.999999999"), [2, 0, 2, 0]);
    count(&windows, &layout, &["20T11:00:00"]);
    assert_eq!(rows(&windows, &layout, "20T11:00:00"), [1, 2, 3, 0]);
    // Nobody asks for an hour: the last one is empty, and the day has what it had.
    assert_eq!(rows(&windows, &layout, "20T13:00:00"), [0, 0, 3, 0]);
    count(&windows, &layout, &["20T23:59:59", "20T23:59:59.5"]);
    assert_eq!(rows(&windows, &layout, "20T23:59:59.9"), [2, 0, 5, 0]);
    assert_eq!(rows(&windows, &layout, "21T00:00:00"), [0, 2, 0, 5]);
    count(&windows, &layout, &["21T00:00:00", "21T01:00:00", "21T02:00:00"]);
    assert_eq!(rows(&windows, &layout, "21T02:00:00"), [1, 1, 3, 5]);
    assert_eq!(windows.total().rows(), 8);
    assert_eq!(rows(&windows, &layout, "22T00:00:00"), [0, 0, 0, 3]);
    assert_eq!(rows(&windows, &layout, "24T00:00:00"), [0, 0, 0, 0], "yesterday nobody asked");
    assert_eq!(windows.total().rows(), 8, "what was counted since the beginning never falls");
}

#[test]
fn who_began_to_count_before_the_border_is_counted_there() {
    let layout = layout();
    let windows = Windows::new(&layout, at("20T23:59:59"));
    let late = windows.hour(&layout, at("20T23:59:59.999"));
    count(&windows, &layout, &["21T00:00:00"]);
    late.tally.row(&layout, &[Value::Integer(20)], 0.75);
    assert_eq!(rows(&windows, &layout, "21T00:00:01"), [1, 1, 1, 1]);
    count(&windows, &layout, &["21T01:00:00", "21T02:00:00"]);
    assert_eq!(rows(&windows, &layout, "21T02:00:00"), [1, 1, 3, 1]);
}

#[test]
fn a_clock_that_is_set_back_loses_nothing() {
    let layout = layout();
    let windows = Windows::new(&layout, at("20T10:00:00"));
    count(&windows, &layout, &["20T11:00:00", "20T10:59:00"]);
    assert_eq!(rows(&windows, &layout, "20T11:30:00"), [2, 0, 2, 0]);
}

#[test]
fn a_clock_that_was_days_ahead_is_forgotten_once_it_is_right_again() {
    let layout = layout();
    let windows = Windows::new(&layout, at("20T10:00:00"));
    count(&windows, &layout, &["20T10:00:00", "20T10:10:00", "28T05:00:00", "28T06:00:00", "29T07:00:00"]);
    assert_eq!(rows(&windows, &layout, "20T11:20:00"), [0, 0, 2, 0]);
    count(&windows, &layout, &["20T11:20:00"]);
    assert_eq!(rows(&windows, &layout, "20T11:30:00"), [1, 0, 3, 0]);
    count(&windows, &layout, &["20T12:00:00"]);
    assert_eq!(rows(&windows, &layout, "20T12:00:01"), [1, 1, 4, 0]);
    count(&windows, &layout, &["21T00:10:00", "21T01:00:00", "21T02:00:00"]);
    assert_eq!(rows(&windows, &layout, "21T02:00:00"), [1, 1, 3, 4]);
    count(&windows, &layout, &["22T00:00:00", "22T01:00:00", "22T02:00:00"]);
    assert_eq!(rows(&windows, &layout, "22T02:00:00"), [1, 1, 3, 3]);
    assert_eq!(windows.total().rows(), 13, "what was counted since the beginning never falls");
}

#[test]
fn a_clock_that_strays_goes_on_in_the_hour_that_it_left() {
    let layout = layout();
    let windows = Windows::new(&layout, at("20T10:00:00"));
    count(&windows, &layout, &["20T10:00:00", "20T10:10:00", "28T05:00:00", "20T10:20:00"]);
    assert_eq!(rows(&windows, &layout, "20T10:30:00"), [3, 0, 3, 0]);
    // An hour back and forth again, as where somebody takes summer time for UTC.
    count(&windows, &layout, &["20T11:20:00", "20T10:20:30"]);
    assert_eq!(rows(&windows, &layout, "20T10:40:00"), [4, 0, 5, 0], "the hour to come is a part of the day");
    assert_eq!(rows(&windows, &layout, "20T11:21:00"), [1, 4, 5, 0]);
    assert_eq!(windows.total().rows(), 6);
}

#[test]
fn memory_does_not_grow_with_time() {
    let layout = layout();
    let start = at("01T00:00:00");
    let windows = Windows::new(&layout, start);
    for hour in 0..24 * 60 {
        let now = start + jiff::SignedDuration::from_hours(hour);
        windows.hour(&layout, now).tally.row(&layout, &[Value::Integer(20)], 0.75);
    }
    assert_eq!(windows.past.lock().unwrap().days.len(), DAYS);
    assert_eq!(windows.total().rows(), 24 * 60);
    let end = start + jiff::SignedDuration::from_hours(24 * 60);
    assert_eq!(windows.counts(&layout, Window::LastDay, end).rows(), 24);
}

#[test]
fn threads_that_count_while_hours_turn_lose_nothing() {
    let layout = layout();
    let start = at("01T00:00:00");
    let windows = Windows::new(&layout, start);
    // All begin each hour together, and whoever is first switches it.
    let together = std::sync::Barrier::new(4);
    let (windows, layout, together) = (&windows, &layout, &together);
    std::thread::scope(|threads| {
        for _ in 0..4 {
            threads.spawn(move || {
                for step in 0..20_000 {
                    if step % 40 == 0 {
                        together.wait();
                    }
                    let now = start + jiff::SignedDuration::from_hours(step / 40);
                    windows.hour(layout, now).tally.row(layout, &[Value::Missing], 0.5);
                }
            });
        }
    });
    let total = windows.total();
    assert_eq!((total.rows(), total.mean()), (80_000, Some(0.5)));
}
