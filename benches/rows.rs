//! Writes files of many applicants for `batch.sh`: those of the German credit data over and over, each time with other
//! amounts, durations and ages, as CSV, as lines of JSON and as Parquet. The same rows in every run. Absent: measuring.

#![expect(
    clippy::unwrap_used,
    clippy::print_stderr,
    reason = "a program of the benchmarks: it stops when it cannot go on"
)]

use std::fs::File;
use std::io::{BufWriter, Write as _};
use std::path::Path;

use tollgate::documents::rows::write::{Cell, Column, ColumnKind, ParquetWriter};
use tollgate::documents::table;
use tollgate::learn::SplitMix64;

const DATA: &str = "models/german_credit/data/german_credit.csv";
/// Columns of numbers; all others are texts.
const NUMBERS: [&str; 7] = [
    "duration_months",
    "amount",
    "instalment_rate_pct",
    "residence_since",
    "age",
    "existing_credits",
    "dependants",
];

struct Lots(SplitMix64);

impl Lots {
    fn below(&mut self, limit: u64) -> u64 {
        self.0.roll() % limit
    }
}

fn main() {
    let mut arguments = std::env::args().skip(1).filter(|argument| argument != "--bench");
    let (Some(rows), Some(folder)) =
        (arguments.next().and_then(|n| n.parse::<usize>().ok()), arguments.next())
    else {
        eprintln!(
            "cargo bench --bench rows -- ROWS FOLDER writes rows.csv, rows.ndjson and rows.parquet there"
        );
        return;
    };
    let folder = Path::new(&folder);
    let table = table::parse(&std::fs::read(DATA).unwrap(), b',').unwrap();
    let is_number = |name: &String| NUMBERS.contains(&name.as_str());
    let columns: Vec<Column> = table
        .columns
        .iter()
        .map(|name| Column {
            name: name.clone(),
            kind: if is_number(name) { ColumnKind::Integer } else { ColumnKind::Text },
        })
        .collect();
    let create = |name: &str| BufWriter::new(File::create(folder.join(name)).unwrap());
    let (mut csv, mut ndjson) = (create("rows.csv"), create("rows.ndjson"));
    let mut parquet = ParquetWriter::new(create("rows.parquet"), &columns).unwrap();
    writeln!(csv, "{}", table.columns.join(",")).unwrap();
    let mut lots = Lots(SplitMix64(1));
    for row in table.rows.iter().cycle().take(rows) {
        let mut cells = row.cells.clone();
        for (name, cell) in table.columns.iter().zip(&mut cells) {
            let Ok(value) = cell.parse::<u64>() else { continue };
            match name.as_str() {
                "amount" => *cell = (value * (800 + lots.below(400)) / 1_000).to_string(),
                "duration_months" | "age" => *cell = (value + lots.below(3)).to_string(),
                _ => {}
            }
        }
        writeln!(csv, "{}", cells.join(",")).unwrap();
        let entry = |(column, cell): (&Column, &String)| match column.kind {
            ColumnKind::Integer => format!("\"{}\":{cell}", column.name),
            _ => format!("\"{}\":\"{cell}\"", column.name),
        };
        let entries: Vec<String> = columns.iter().zip(&cells).map(entry).collect();
        writeln!(ndjson, "{{{}}}", entries.join(",")).unwrap();
        let cell = |(column, cell): (&Column, String)| match column.kind {
            ColumnKind::Integer => Cell::Integer(cell.parse().unwrap()),
            _ => Cell::Text(cell),
        };
        parquet.row(columns.iter().zip(cells).map(cell).collect()).unwrap();
    }
    csv.flush().unwrap();
    ndjson.flush().unwrap();
    parquet.finish().unwrap();
}
