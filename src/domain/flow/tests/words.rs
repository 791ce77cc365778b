//! Words on the edges where calendars, roundings and empty lists trap people; through whole flows, so that checker and
//! evaluator are held to the same.

use super::*;

/// Whether a condition holds, with some facts; `None` when it fails.
#[track_caller]
fn table(given: &[(&str, Given)], lines: &[(&str, Option<bool>)]) {
    for (condition, expected) in lines {
        assert_eq!(holds(condition, given), *expected, "{condition}");
    }
}

#[test]
fn whole_years_and_months_end_where_a_calendar_says() {
    table(
        &[],
        &[
            // Born on a leap day: a year older on the 28th of February? Not before the 1st of March.
            ("years_between(date(\"2008-02-29\"), date(\"2026-02-28\")) == 17", Some(true)),
            ("years_between(date(\"2008-02-29\"), date(\"2026-03-01\")) == 18", Some(true)),
            ("years_between(date(\"2008-02-29\"), date(\"2024-02-29\")) == 16", Some(true)),
            ("years_between(date(\"2026-01-01\"), date(\"2024-01-02\")) == -1", Some(true)),
            ("years_between(date(\"2026-01-01\"), date(\"2024-01-01\")) == -2", Some(true)),
            ("months_between(date(\"2026-01-31\"), date(\"2026-02-28\")) == 0", Some(true)),
            ("months_between(date(\"2026-01-31\"), date(\"2026-03-01\")) == 1", Some(true)),
            ("months_between(date(\"2026-01-31\"), date(\"2026-03-31\")) == 2", Some(true)),
            ("months_between(date(\"2026-03-31\"), date(\"2026-02-28\")) == -1", Some(true)),
            ("days_between(date(\"2024-02-28\"), date(\"2024-03-01\")) == 2", Some(true)),
            ("days_between(date(\"2026-02-28\"), date(\"2026-03-01\")) == 1", Some(true)),
            ("days_between(date(\"2000-01-01\"), date(\"1999-12-31\")) == -1", Some(true)),
            ("days_between(date(\"2026-03-28\"), date(\"2026-03-30\")) == 2", Some(true)),
            ("date(\"2026-02-30\") > today", None),
            ("date(\"31.01.2026\") > today", None),
        ],
    );
}

/// Decided at a moment, in a flow whose time zone is Berlin's.
#[track_caller]
fn at_moment(moment: &str, condition: &str) -> bool {
    let script = format!("if {condition} {{ decline(\"R1\"); }} else {{ approve(); }}");
    let flow = compiled(&declaration(&script));
    let facts = flow.admit(&facts(&[])).unwrap();
    let verdict = flow.decide(&facts, moment.parse().unwrap(), &Budget::default());
    assert!(!verdict.degraded, "{condition}: {:?}", verdict.failures);
    &*verdict.outcome == "decline"
}

#[test]
fn hours_and_days_are_the_flows_own_also_when_clocks_change() {
    for (moment, condition) in [
        // The night of the 29th of March 2026 has no hour 2 in Berlin, that of the 25th of October has it twice.
        ("2026-03-29T00:59:59Z", "hour_of(decided_at) == 1"),
        ("2026-03-29T01:00:00Z", "hour_of(decided_at) == 3"),
        ("2026-10-25T00:30:00Z", "hour_of(decided_at) == 2"),
        ("2026-10-25T01:30:00Z", "hour_of(decided_at) == 2"),
        ("2026-10-25T02:30:00Z", "hour_of(decided_at) == 3"),
        ("2026-12-31T23:30:00Z", "today == date(\"2027-01-01\") && day_of_week(today) == 5"),
        ("2026-06-30T21:59:59Z", "today == date(\"2026-06-30\")"),
        ("2026-06-30T22:00:00Z", "today == date(\"2026-07-01\")"),
        ("2026-11-22T12:00:00+14:00", "hour_of(decided_at) == 23 && day_of_week(decided_at) == 6"),
        // A day with 23 hours is a day.
        ("2026-03-29T12:00:00Z", "days_between(date(\"2026-03-29\"), date(\"2026-03-30\")) == 1"),
    ] {
        assert!(at_moment(moment, condition), "{moment} {condition}");
    }
}

#[test]
fn rounding_goes_half_to_even_and_money_is_exact() {
    table(
        &[("amount", Given::Text("2500.005".to_owned()))],
        &[
            ("money(amount, 2) == 2500.00", Some(true)),
            ("money(amount + 0.01, 2) == 2500.02", Some(true)),
            ("round(2.5) == 2 && round(3.5) == 4 && round(-2.5) == -2", Some(true)),
            ("round(amount, 2) == 2500.00", Some(true)),
            ("floor(-0.5) == -1 && ceil(-0.5) == 0", Some(true)),
            ("amount * 3 == 7500.015", Some(true)),
            ("amount / 3 == 833.335", Some(true)),
            ("5 / 2 == 2.5", Some(true)),
            ("amount / 0 > 1", None),
            ("1 / 0 > 1", None),
            ("9223372036854775807 + 1 > 0", None),
            ("number(amount) == 2500.005", Some(true)),
            ("money(score, 2) == 0.3", Some(true)),
            ("pmt(0, 4, amount) == amount / 4", Some(true)),
            ("money(pmt(0.01, 12, money(10000, 2)), 2) == 888.49", Some(true)),
            ("min(amount, 0.1) == 0.1 && max(amount, 1) == amount", Some(true)),
            ("abs(-0.5) == 0.5", Some(true)),
        ],
    );
}

fn accounts(rows: &[(&str, Option<&str>)]) -> (&'static str, Given) {
    let row = |(balance, opened): &(&str, Option<&str>)| {
        let mut row = vec![("balance".to_owned(), Given::Text((*balance).to_owned()))];
        row.extend(opened.map(|date| ("opened_on".to_owned(), Given::Text(date.to_owned()))));
        Given::Map(row)
    };
    ("accounts", Given::List(rows.iter().map(row).collect()))
}

#[test]
fn words_over_no_rows_say_what_they_can_and_fail_where_there_is_nothing_to_say() {
    table(
        &[accounts(&[])],
        &[
            ("is_given(accounts) && count(accounts) == 0", Some(true)),
            ("is_given(accounts) && sum(accounts, |a| a.balance) == 0.0", Some(true)),
            ("is_given(accounts) && any(accounts, |a| a.balance < 0)", Some(false)),
            ("is_given(accounts) && all(accounts, |a| a.balance < 0)", Some(true)),
            ("is_given(accounts) && min(accounts, |a| a.balance) < 0", None),
            ("is_given(accounts) && max(accounts, |a| a.balance) < 0", None),
            ("is_given(accounts) && average(accounts, |a| a.balance) < 0", None),
            ("is_given(accounts) && is_missing(latest(accounts, |a| a.balance))", Some(true)),
            ("is_given(accounts) && len(filter(accounts, |a| a.balance < 0)) == 0", Some(true)),
        ],
    );
}

#[test]
fn words_over_rows_read_inputs_and_thresholds_and_stay_exact() {
    let rows = [("0.10", Some("2024-02-29")), ("0.20", None), ("-5", Some("2026-01-01"))];
    table(
        &[accounts(&rows)],
        &[
            ("is_given(accounts) && sum(accounts, |a| a.balance) == -4.70", Some(true)),
            ("is_given(accounts) && count(accounts, |a| a.balance < max_share) == 3", Some(true)),
            ("is_given(accounts) && count(accounts, |a| a.balance * 100 > age) == 0", Some(true)),
            (
                "is_given(accounts) && average(filter(accounts, |a| a.balance > 0), |a| a.balance) == 0.15",
                Some(true),
            ),
            ("is_given(accounts) && min(accounts, |a| a.balance) == -5", Some(true)),
            ("is_given(accounts) && latest(accounts, |a| a.balance).balance == 0.2", Some(true)),
            // One row has no date: asked for it, it is not counted; unasked, the step fails and is never false.
            (
                "is_given(accounts) && count(accounts, |a| is_given(a.opened_on) && a.opened_on < today) == 2",
                Some(true),
            ),
            ("is_given(accounts) && any(accounts, |a| a.opened_on > today)", None),
            ("is_given(accounts) && count(accounts, |a| a.opened_on < today) > 5", None),
            (
                "is_given(accounts) && latest(accounts, |a| a.opened_on ?? date(\"1970-01-01\")).balance == -5",
                Some(true),
            ),
        ],
    );
}

#[test]
fn texts_are_compared_and_cut_by_characters() {
    let phone = |text: &str| [("phone", Given::Text(text.to_owned()))];
    table(
        &phone("Straße é"),
        &[
            ("is_given(phone) && len(phone) == 8", Some(true)),
            ("is_given(phone) && phone.to_upper() == \"STRASSE É\"", Some(true)),
            ("is_given(phone) && phone.starts_with(\"Str\") && phone.ends_with(\"é\")", Some(true)),
            ("is_given(phone) && \"aß\" in phone && !phone.contains(\"ss\")", Some(true)),
            ("is_given(phone) && phone < \"Straßf\"", Some(true)),
            ("is_given(phone) && trim(\" a \") == \"a\"", Some(true)),
            ("phone ?? \"\" == \"\"", Some(false)),
        ],
    );
    table(&[], &[("len(phone ?? \"\") == 0", Some(true)), ("phone.starts_with(\"0\")", None)]);
}
