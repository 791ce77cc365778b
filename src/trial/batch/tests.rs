//! Files of rows on the sample flows.

use std::path::{Path, PathBuf};

use super::*;
use crate::bundle;
use crate::documents::rows::RowsFormat;
use crate::documents::rows::write::{Cell, Column, ColumnKind, ParquetWriter};

const CSV: RowsFormat = RowsFormat::Csv { separator: b',' };

fn root() -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR"))
}

fn flow_in(rules: &Path, name: &str) -> Arc<FlowRevision> {
    let built = bundle::build(&bundle::read_folder(rules, &root().join("models")));
    Arc::clone(built.bundle.flow(name).expect(name))
}

fn personal_loan() -> Arc<FlowRevision> {
    flow_in(&root().join("rules"), "personal_loan")
}

fn applicants() -> String {
    std::fs::read_to_string(root().join("models/german_credit/data/german_credit.csv")).unwrap()
}

fn asked(flow: Arc<FlowRevision>) -> Asked {
    Asked {
        here: Side { from: "here".to_owned(), flow },
        there: None,
        named: Named { label: Some("outcome".to_owned()), ..Named::default() },
        market: Market::default(),
        at: "2026-01-31T09:00:00Z".parse().unwrap(),
        threads: 2,
        form: Some(Form::Lines),
        keep_refused: None,
        show_facts: false,
    }
}

/// The summary, what was written of decided rows, and the refused ones.
fn go(asked: &Asked, rows: Rows) -> Result<(Summary, Vec<u8>, Vec<u8>), BatchError> {
    let (mut lines, mut refused) = (Vec::new(), Vec::new());
    let summary = run(asked, rows, &mut |part| {
        if let Rendered::Lines(text) = part.decided {
            lines.extend(text);
        }
        refused.extend(part.refused);
        Ok(())
    })?;
    Ok((summary, lines, refused))
}

fn stream(text: impl Into<String>, format: RowsFormat) -> Rows {
    Rows::stream(Box::new(std::io::Cursor::new(text.into())), format).unwrap()
}

/// `approve 665, review 175, decline 160`
fn shown(outcomes: &[OutcomeSummary]) -> String {
    let all = outcomes.iter().map(|of| format!("{} {}", of.outcome, of.counts.rows));
    all.collect::<Vec<_>>().join(", ")
}

/// The same rows as lines of JSON, typed as the flow declares them.
fn as_ndjson(csv: &str, flow: &FlowRevision) -> String {
    let mut lines = csv.lines();
    let header: Vec<&str> = lines.next().unwrap().split(',').collect();
    let one = |line: &str| {
        let cells = header.iter().zip(line.split(','));
        let member = |(name, cell): (&&str, &str)| {
            let kind = flow.flow.inputs.iter().find(|input| *input.name == **name).map(|i| i.kind.word());
            match kind {
                Some("integer" | "decimal" | "number") => format!("\"{name}\":{cell}"),
                _ => format!("\"{name}\":\"{cell}\""),
            }
        };
        format!("{{{}}}\n", cells.map(member).collect::<Vec<_>>().join(","))
    };
    lines.map(one).collect()
}

fn as_parquet(csv: &str, flow: &FlowRevision, path: &Path) -> Rows {
    let mut lines = csv.lines();
    let kind = |name: &str| {
        let input = flow.flow.inputs.iter().find(|input| *input.name == *name);
        match input.map(|input| input.kind.word()) {
            Some("integer") => ColumnKind::Integer,
            Some("decimal" | "number") => ColumnKind::Number,
            _ => ColumnKind::Text,
        }
    };
    let columns: Vec<Column> = lines
        .next()
        .unwrap()
        .split(',')
        .map(|name| Column { name: name.to_owned(), kind: kind(name) })
        .collect();
    let mut writer = ParquetWriter::new(std::fs::File::create(path).unwrap(), &columns).unwrap();
    for line in lines {
        let cell = |(column, cell): (&Column, &str)| match column.kind {
            ColumnKind::Integer => Cell::Integer(cell.parse().unwrap()),
            ColumnKind::Number => Cell::Number(cell.parse().unwrap()),
            _ => Cell::Text(cell.to_owned()),
        };
        writer.row(columns.iter().zip(line.split(',')).map(cell).collect()).unwrap();
    }
    writer.finish().unwrap();
    Rows::open(std::fs::File::open(path).unwrap(), RowsFormat::Parquet).unwrap()
}

#[test]
fn the_thousand_applicants_come_out_as_ever_from_every_format_and_on_any_number_of_cores() {
    let flow = personal_loan();
    let asked = asked(Arc::clone(&flow));
    let (summary, lines, _) = go(&asked, stream(applicants(), CSV)).unwrap();
    assert_eq!(shown(&summary.outcomes), "approve 665, review 175, decline 160");
    assert_eq!((summary.rows, summary.decided, summary.refused), (1000, 1000, 0));
    let label = summary.label.as_ref().unwrap();
    assert_eq!((label.counts.good, label.counts.bad), (700, 300));
    assert!(label.bad_rate_of_approved < label.bad_rate_of_others, "{label:?}");
    let risk = summary.scores.iter().find(|score| &*score.name == "default_risk").unwrap();
    assert!(risk.auc.unwrap() > 0.8 && risk.rounded_to == 0.0, "{risk:?}");
    assert_eq!(risk.distribution.iter().map(|band| band.counts.rows).sum::<u64>(), risk.rows);
    let names: Vec<&str> = risk.thresholds.iter().map(|of| of.name.as_str()).collect();
    assert_eq!(names, ["max_default_risk", "review_default_risk"]);
    let points = summary.scores.iter().find(|score| &*score.name == "application").unwrap();
    assert_eq!(points.direction, Direction::HigherIsSafer);
    assert!(points.auc.unwrap() > 0.6, "{points:?}");

    let folder = tempfile::tempdir().unwrap();
    let parquet = as_parquet(&applicants(), &flow, &folder.path().join("rows.parquet"));
    let others = [
        go(&asked, stream(as_ndjson(&applicants(), &flow), RowsFormat::Ndjson)).unwrap(),
        go(&asked, parquet).unwrap(),
        go(&Asked { threads: 1, ..super::tests::asked(flow) }, stream(applicants(), CSV)).unwrap(),
    ];
    for (other, other_lines, _) in others {
        assert!(other_lines == lines, "another answer");
        assert_eq!(other, summary);
    }
}

#[test]
fn answers_stand_in_the_order_of_the_rows_however_many_chunks_there_are() {
    let text = applicants();
    let (header, rows) = text.split_once('\n').unwrap();
    let many = format!("id,{header}\n")
        + &(0..7)
            .flat_map(|_| rows.lines())
            .enumerate()
            .map(|(at, row)| format!("r{at},{row}\n"))
            .collect::<String>();
    let mut asked = asked(personal_loan());
    asked.named.reference = Some("id".to_owned());
    asked.threads = 3;
    let (summary, lines, _) = go(&asked, stream(many, CSV)).unwrap();
    assert_eq!(summary.rows, 7_000);
    let lines = String::from_utf8(lines).unwrap();
    for (at, line) in lines.lines().enumerate() {
        let line: serde_json::Value = serde_json::from_str(line).unwrap();
        assert_eq!((&line["row"], &line["reference"]), (&(at + 1).into(), &format!("r{at}").into()));
    }
    assert_eq!(lines.lines().count(), 7_000);
}

#[test]
fn wrong_rows_are_told_by_line_without_their_values_and_kept_to_be_mended() {
    let text = applicants();
    let mut lines: Vec<String> = text.lines().take(6).map(str::to_owned).collect();
    lines[2] = lines[2].replacen(",48,", ",secret,", 1);
    lines[4] = lines[4].replacen("below_0", "secret", 1);
    lines[5].push_str(",one cell more");
    let wrong = lines.join("\n");
    let mut asked = asked(personal_loan());
    let header: Vec<String> = lines[0].split(',').map(str::to_owned).collect();
    let kept = Kept { columns: header, separator: Some(b',') };
    asked.keep_refused = Some(kept.clone());
    let (summary, decided, refused) = go(&asked, stream(wrong, CSV)).unwrap();
    assert_eq!((summary.rows, summary.decided, summary.refused), (5, 2, 3));
    let told: Vec<_> = summary
        .refused_rows
        .iter()
        .map(|row| format!("{} {} {}", row.line.unwrap(), row.errors[0].pointer, row.errors[0].code))
        .collect();
    assert_eq!(told, ["3 /duration_months wrong_type", "5 /checking_status not_a_choice", "6  unreadable"]);
    let said = serde_json::to_string(&summary).unwrap() + &String::from_utf8(decided).unwrap();
    assert!(!said.contains("secret"), "{said}");

    // Mended, the kept rows are decided as they would have been.
    let refused = String::from_utf8(refused).unwrap();
    assert_eq!(refused.lines().count(), 3);
    let mended = refused.replacen("secret", "48", 1).replacen("secret", "below_0", 1).replacen(
        ",one cell more",
        "",
        1,
    );
    let again = String::from_utf8(kept.header()).unwrap() + &mended;
    let (mended, _, _) = go(&asked, stream(again, CSV)).unwrap();
    assert_eq!((mended.decided, mended.refused), (3, 0));
    let mut outcomes =
        summary.outcomes.iter().zip(&mended.outcomes).map(|(a, b)| a.counts.rows + b.counts.rows);
    let (whole, _, _) = go(&asked, stream(text.lines().take(6).collect::<Vec<_>>().join("\n"), CSV)).unwrap();
    assert!(whole.outcomes.iter().all(|of| outcomes.next() == Some(of.counts.rows)));
}

#[test]
fn columns_that_do_not_fit_are_all_named_before_anything_is_decided() {
    let says = |change: &dyn Fn(&mut Asked), header: (&str, &str)| {
        let mut asked = asked(personal_loan());
        change(&mut asked);
        let text = applicants().replacen(header.0, header.1, 1);
        go(&asked, stream(text, CSV)).map(drop).unwrap_err().to_string()
    };
    let none: &dyn Fn(&mut Asked) = &|_| ();
    assert_eq!(
        says(none, ("age,", "agee,")),
        "the flow `personal_loan` has no input for the column `agee` (did you mean `age`?)"
    );
    assert_eq!(
        says(&|asked| asked.named.ignore.push("age".to_owned()), ("", "")),
        "no column gives what the flow `personal_loan` requires: `age`"
    );
    assert_eq!(
        says(&|asked| asked.named.label = Some("outcom".to_owned()), ("", "")),
        "there is no column `outcom`, which `--label` names; did you mean `outcome`?"
    );
    assert_eq!(
        says(&|asked| asked.named.label = Some("age".to_owned()), ("", "")),
        "`age` is an input of the flow `personal_loan`, so it cannot be the label: what came later decides nothing"
    );
    assert_eq!(
        says(&|asked| asked.named.groups.push("age".to_owned()), ("", "")),
        "the flow `personal_loan` may read `age`, so it cannot be kept out of the decision"
    );
    assert_eq!(
        says(&|asked| asked.market = Market::Fixed("mxx".to_owned()), ("", "")),
        "there is no market `mxx` of the flow `personal_loan`; did you mean `mx`?"
    );
    let label = says(&|asked| asked.named.label = Some("outcome".to_owned()), (",good\n", ",fine\n"));
    assert_eq!(label, "line 2: the label is none of `good` and `bad`, `0` and `1`, `false` and `true`");
}

#[test]
fn groups_are_counted_by_and_kept_out_and_many_ages_become_bands() {
    let mut asked = asked(personal_loan());
    asked.named.groups = vec!["foreign_worker".to_owned(), "age".to_owned()];
    asked.named.groups_may_be_inputs = true;
    let (summary, _, _) = go(&asked, stream(applicants(), CSV)).unwrap();
    assert_eq!(shown(&summary.outcomes), "approve 665, review 175, decline 160");
    let [foreign, age] = summary.groups.as_slice() else { panic!("two columns") };
    let rows: Vec<_> = foreign.groups.iter().map(|group| (group.group.as_str(), group.counts.rows)).collect();
    assert_eq!(rows, [("no", 37), ("yes", 963)]);
    assert_eq!(foreign.groups.iter().map(|group| group.approved).sum::<u64>(), 665);
    assert_eq!(foreign.reference.as_deref(), Some("no"));
    let yes = &foreign.groups[1];
    let no = &foreign.groups[0];
    let ratio = (yes.approved as f64 / 963.0) / (no.approved as f64 / 37.0);
    assert!((yes.adverse_impact_ratio.unwrap() - ratio).abs() < 1e-12);
    assert_eq!(age.groups.len(), 5);
    assert_eq!(age.groups.iter().map(|group| group.counts.rows).sum::<u64>(), 1000);
    // The age tells the bands of the age, and nothing tells as much.
    let strongest = &age.proxies[0];
    assert!(&*strongest.input == "age" && strongest.cramers_v > 0.9, "{strongest:?}");
    assert!(age.proxies[1].cramers_v < 0.5, "{:?}", age.proxies[1]);
    assert_eq!(age.sampled, 1000);
}

#[test]
fn a_column_that_nothing_may_read_is_kept_out_without_being_asked_for() {
    let mut asked = asked(personal_loan());
    asked.named.groups = vec!["foreign_worker".to_owned()];
    let (summary, _, _) = go(&asked, stream(applicants(), CSV)).unwrap();
    let known = summary.groups[0].proxies.iter().find(|proxy| &*proxy.input == "foreign_worker").unwrap();
    assert!(known.cramers_v < 1e-9, "the flow was handed what was to be kept out");
}

fn copied(from: &Path, to: &Path) {
    std::fs::create_dir_all(to).unwrap();
    for entry in std::fs::read_dir(from).unwrap() {
        let path = entry.unwrap().path();
        let target = to.join(path.file_name().unwrap());
        if path.is_dir() {
            copied(&path, &target);
        } else {
            std::fs::copy(&path, &target).unwrap();
        }
    }
}

#[test]
fn two_sides_are_compared_row_by_row_and_where_they_part_is_named() {
    let folder = tempfile::tempdir().unwrap();
    let rules = folder.path().join("rules");
    copied(&root().join("rules"), &rules);
    let path = rules.join("personal_loan/flow.yaml");
    let text = std::fs::read_to_string(&path).unwrap();
    let changed = text.replace("max_default_risk: 0.60", "max_default_risk: 0.50");
    assert_ne!(text, changed);
    std::fs::write(&path, changed.replace("min_age: 18", "min_age: 21")).unwrap();
    let there = Side { from: "there".to_owned(), flow: flow_in(&rules, "personal_loan") };
    let mut asked = asked(personal_loan());
    let (alone_here, _, _) = go(&asked, stream(applicants(), CSV)).unwrap();
    asked.here = there.clone();
    let (alone_there, _, _) = go(&asked, stream(applicants(), CSV)).unwrap();
    asked.here = Side { from: "here".to_owned(), flow: personal_loan() };
    asked.there = Some(there);
    asked.show_facts = true;
    let (summary, _, _) = go(&asked, stream(applicants(), CSV)).unwrap();
    let found = summary.comparison.as_ref().unwrap();
    assert_eq!(summary.outcomes, alone_here.outcomes);
    assert_eq!(found.outcomes, ["approve", "review", "decline"]);
    // The rows and columns of the matrix add up to what each side gave alone.
    for outcome in &found.outcomes {
        let sum = |of: &dyn Fn(&Flip) -> &String| -> u64 {
            found.cells.iter().filter(|cell| of(cell) == outcome).map(|cell| cell.counts.rows).sum()
        };
        let alone = |summary: &Summary| {
            summary.outcomes.iter().find(|of| *of.outcome == **outcome).unwrap().counts.rows
        };
        assert_eq!(sum(&|cell| &cell.there), alone(&alone_there), "{outcome} there");
        assert_eq!(sum(&|cell| &cell.here), alone(&alone_here), "{outcome} here");
    }
    let flip = |there: &str, here: &str| {
        found.cells.iter().find(|cell| cell.there == there && cell.here == here).expect("such rows")
    };
    // What was declined for its risk is reviewed, and who was too young is approved or reviewed.
    let looser = flip("decline", "review");
    assert!(looser.counts.rows > 10 && looser.examples.len() == 10, "{looser:?}");
    assert!(
        looser.parted.iter().any(|(place, _)| place.contains("decline in the script")),
        "{:?}",
        looser.parted
    );
    let young = flip("decline", "approve");
    assert_eq!(young.parted[0].0, "rules knockout: under_age hits there, misses here");
    assert!(young.examples.iter().all(|row| row.facts.as_ref().unwrap()["age"].as_i64().unwrap() < 21));
    assert!(
        found
            .cells
            .iter()
            .all(|cell| cell.here <= cell.there || cell.there == cell.here || cell.here == "review")
    );
    assert_eq!(found.only_here_approves.rows, young.counts.rows);
    assert_eq!(found.only_there_approves.rows, 0);
    let under_age = found.reasons.iter().find(|reason| &*reason.code == "R101").unwrap();
    assert!(under_age.lost > 0 && under_age.gained == 0);

    let page = crate::trial::report::page(&summary);
    for part in [
        "Approvals against bad rate",
        "max_default_risk",
        "Compared with there",
        "under_age hits there",
        "<svg",
    ] {
        assert!(page.contains(part), "{part}");
    }
    for outside in ["http://", "https://", "<script", "src=", "url("] {
        assert!(!page.contains(outside), "a page needs nothing from elsewhere: {outside}");
    }
}

#[test]
fn each_row_may_name_its_market_and_one_that_there_is_not_is_refused() {
    let text = applicants();
    let mut lines = text.lines();
    let mut rows = format!("land,{}\n", lines.next().unwrap());
    for (row, land) in lines.take(40).zip(["", "at", "mx", "xx"].iter().cycle()) {
        rows.push_str(&format!("{land},{row}\n"));
    }
    let mut asked = asked(personal_loan());
    asked.market = Market::Column("land".to_owned());
    let (summary, lines, _) = go(&asked, stream(rows, CSV)).unwrap();
    assert!(summary.refusals.iter().any(|refused| refused.code == "unknown_market" && refused.rows == 10));
    let markets: Vec<&str> = summary.markets.iter().map(|market| market.market.as_str()).collect();
    assert!(markets.starts_with(&["base", "at"]), "{markets:?}");
    let lines = String::from_utf8(lines).unwrap();
    assert!(lines.lines().nth(1).unwrap().contains("\"market\":\"at\""), "{lines}");
}

#[test]
fn fields_of_maps_have_columns_of_their_own_and_lists_are_json() {
    let row = applicants().lines().nth(1).unwrap().to_owned();
    let header = applicants().lines().next().unwrap().to_owned();
    let with = |more: &str, cells: &str| format!("{header},{more}\n{row},{cells}\n");
    let asked = asked(personal_loan());
    let good = with(
        "employer.name,employer.since,accounts",
        "Example,2020-01-31,\"[{\"\"balance\"\": \"\"-5\"\"}]\"",
    );
    let (summary, _, _) = go(&asked, stream(good, CSV)).unwrap();
    assert_eq!((summary.decided, summary.refused), (1, 0));
    let (summary, _, _) = go(&asked, stream(with("employer.since", "2020-01-31"), CSV)).unwrap();
    assert_eq!(summary.refusals[0].pointer, "/employer/name");
    let twice = with("employer,employer.name", ",x");
    let said = go(&asked, stream(twice, CSV)).map(drop).unwrap_err().to_string();
    assert_eq!(said, "the columns `employer` and `employer.name` both give `employer`");
}

/// What is held while a long file is gone through: never more than some chunks.
#[test]
fn a_long_file_is_held_in_pieces() {
    use std::io::Read;
    use std::sync::atomic::{AtomicU64, Ordering};
    struct Endless {
        row: Vec<u8>,
        given: Arc<AtomicU64>,
        rows: u64,
    }
    impl Read for Endless {
        fn read(&mut self, into: &mut [u8]) -> std::io::Result<usize> {
            if self.rows == 0 {
                return Ok(0);
            }
            self.rows -= 1;
            let length = self.row.len().min(into.len());
            into[..length].copy_from_slice(&self.row[..length]);
            self.given.fetch_add(1, Ordering::SeqCst);
            Ok(length)
        }
    }
    let text = applicants();
    let (header, rest) = text.split_once('\n').unwrap();
    let row = format!("{}\n", rest.lines().next().unwrap()).into_bytes();
    let given = Arc::new(AtomicU64::new(0));
    let endless = Endless { row, given: Arc::clone(&given), rows: 30_000 };
    let whole = std::io::Cursor::new(format!("{header}\n").into_bytes()).chain(endless);
    let rows = Rows::stream(Box::new(whole), CSV).unwrap();
    let mut asked = asked(personal_loan());
    asked.threads = 2;
    let (mut done, mut most_ahead) = (0, 0);
    let summary = run(&asked, rows, &mut |part| {
        // A slow disk: whoever reads must wait for it.
        std::thread::sleep(std::time::Duration::from_millis(5));
        most_ahead = most_ahead.max(given.load(Ordering::SeqCst).saturating_sub(done));
        done += part.rows;
        Ok(())
    });
    assert_eq!(summary.unwrap().rows, 30_000);
    // For each of two workers: chunks before it, in its hands and behind it; one that is dealt out, one being read.
    assert!(most_ahead <= 2 * (2 + 1 + 2) * 1_000 + 3_000, "{most_ahead} rows were read ahead");
}
