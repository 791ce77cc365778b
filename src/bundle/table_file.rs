//! `NAME.table.csv` and `NAME.table.yaml` as declared: columns, rows and the place of every cell. What the cells mean
//! is the flow's to check.

use std::collections::BTreeMap;

use crate::documents::yaml::shape::Shape;
use crate::documents::yaml::{Content, Entry, Node, read};
use crate::documents::{Source, grid};
use crate::domain::declaration::{
    Collected, ColumnDeclaration, RowDeclaration, TableDeclaration, TableHitPolicy,
};
use crate::domain::diagnostic::Diagnostic;
use crate::domain::place::{Located, Place, Span};
use crate::domain::value::Kind;

/// Words of `hit_policy:`.
const HIT_POLICIES: &[(&str, TableHitPolicy)] = &[
    ("first", TableHitPolicy::First),
    ("unique", TableHitPolicy::Unique),
    ("priority", TableHitPolicy::Priority),
    ("collect", TableHitPolicy::Collect(Collected::All)),
    ("collect sum", TableHitPolicy::Collect(Collected::Sum)),
    ("collect min", TableHitPolicy::Collect(Collected::Min)),
    ("collect max", TableHitPolicy::Collect(Collected::Max)),
    ("collect count", TableHitPolicy::Collect(Collected::Count)),
];

/// The files of one table, by their numbers.
#[derive(Debug, Clone, Copy, Default)]
pub(super) struct TableFiles {
    pub yaml: Option<u32>,
    pub csv: Option<u32>,
}

/// What `NAME.table.yaml` says.
#[derive(Default)]
struct Sheet {
    name: Option<Located<String>>,
    hit_policy: TableHitPolicy,
    /// Name, whether it is given, and its type.
    columns: Vec<(Located<String>, bool, Located<Kind>)>,
    separator: Option<Located<u8>>,
    decimal_comma: Option<Located<bool>>,
    /// The table itself, where there is no CSV file.
    rows: Option<(Place, Vec<YamlRow>)>,
}

struct YamlRow {
    place: Place,
    when: Vec<(Located<String>, Located<String>)>,
    then: Vec<(Located<String>, Located<String>)>,
}

/// Reads one table from its files. It always has a declaration: scripts that say its name are not wrong.
pub(super) fn table(
    name: &str,
    files: TableFiles,
    source: impl Fn(u32) -> Option<Source>,
    findings: &mut Vec<Diagnostic>,
) -> TableDeclaration {
    let here = |file: Option<u32>| Place { file: file.unwrap_or_default(), span: Span::default() };
    let mut sheet = Sheet::default();
    if let Some((file, source)) = files.yaml.and_then(|file| Some((file, source(file)?))) {
        let mut shape = Shape::new(&source);
        sheet = read_sheet(&mut shape, file, name).unwrap_or_default();
        findings.append(&mut shape.findings);
    }
    let mut table = TableDeclaration {
        name: sheet
            .name
            .clone()
            .unwrap_or_else(|| Located::new(name.to_owned(), here(files.csv.or(files.yaml)))),
        hit_policy: sheet.hit_policy,
        columns: Vec::new(),
        rows: Vec::new(),
        is_decimal_comma: sheet.decimal_comma.as_ref().is_some_and(|comma| comma.value),
        place: here(files.csv.or(files.yaml)),
    };
    match (files.csv.and_then(|file| Some((file, source(file)?))), sheet.rows.take()) {
        (Some((file, source)), None) => {
            let separator = sheet.separator.as_ref().map_or(b',', |separator| separator.value);
            read_grid(&mut table, file, &source, separator, findings);
        }
        (Some(_), Some((place, _))) => findings.push(
            Diagnostic::error("B032", place, format!("`{name}` has rows here and in `{name}.table.csv`"))
                .help("remove one of them"),
        ),
        (None, Some((place, rows))) => {
            table.place = place;
            table.is_decimal_comma = false;
            only_for_csv(&sheet, findings);
            lay_out(&mut table, &rows, &sheet.columns, findings);
        }
        (None, None) if files.csv.is_none() && sheet.name.is_some() => {
            let message = format!("`{name}` has no rows");
            let help = format!("write `rows:`, or put them into `{name}.table.csv`");
            findings.push(Diagnostic::error("B032", table.name.place, message).help(help));
        }
        (None, None) => {}
    }
    declare_types(&mut table, &sheet.columns, findings);
    table
}

fn read_sheet(shape: &mut Shape<'_>, file: u32, name: &str) -> Option<Sheet> {
    let root = match read(file, shape.source) {
        Ok(root) => root,
        Err(finding) => {
            shape.report(finding);
            return None;
        }
    };
    let mut keys = shape.keys(&root, "a table")?;
    let declared = keys.required("table", shape).and_then(|node| shape.text(node));
    if let Some(declared) = declared.as_ref().filter(|declared| declared.value != name) {
        let message =
            format!("this table calls itself `{}` and its file is `{name}.table.yaml`", declared.value);
        let help = format!("scripts say `table(\"{name}\")`: write `table: {name}` or rename the file");
        shape.report(Diagnostic::error("B004", declared.place, message).help(help));
    }
    let hit_policy =
        keys.optional("hit_policy").and_then(|node| shape.word(node, HIT_POLICIES)).unwrap_or_default();
    let columns = keys.optional("columns").map(|node| columns(shape, node)).unwrap_or_default();
    let separator = keys.optional("separator").and_then(|node| separator(shape, node));
    let decimal_comma =
        keys.optional("decimal_comma").and_then(|node| Some(Located::new(shape.boolean(node)?, node.place)));
    let rows = keys.optional("rows").and_then(|node| rows(shape, node));
    keys.finish(shape);
    let name = declared.map(|declared| Located::new(name.to_owned(), declared.place));
    Some(Sheet { name, hit_policy, columns, separator, decimal_comma, rows })
}

/// `columns: { default_risk: number, -> apr: decimal }`
fn columns(shape: &mut Shape<'_>, node: &Node) -> Vec<(Located<String>, bool, Located<Kind>)> {
    let mut all = Vec::new();
    for entry in shape.entries(node).unwrap_or_default() {
        let (name, is_output) = column_name(&entry.key);
        if let Some(kind) = super::declared::kind(shape, &entry.value) {
            all.push((name, is_output, Located::new(kind, entry.value.place)));
        }
    }
    all
}

/// `-> apr` is a column that rows give, `apr` one that they ask.
fn column_name(written: &Located<String>) -> (Located<String>, bool) {
    match written.value.strip_prefix("->") {
        None => (written.clone(), false),
        Some(rest) => {
            let lead = written.value.len() - rest.trim_start().len();
            let span = Span::new(lead, written.value.len());
            (Located::new(rest.trim().to_owned(), written.place.part(span)), true)
        }
    }
}

fn separator(shape: &mut Shape<'_>, node: &Node) -> Option<Located<u8>> {
    let words = [(",", b','), (";", b';'), ("|", b'|'), ("tab", b'\t')];
    Some(Located::new(shape.word(node, &words)?, node.place))
}

/// `rows:` is a list of `{ when: { column: cell }, then: { column: cell } }`.
fn rows(shape: &mut Shape<'_>, node: &Node) -> Option<(Place, Vec<YamlRow>)> {
    let mut all = Vec::new();
    for item in shape.list(node)? {
        let Some(mut keys) = shape.keys(item, "a row") else { continue };
        let when = keys.optional("when").map(|node| cells(shape, node)).unwrap_or_default();
        let then = keys.optional("then").map(|node| cells(shape, node)).unwrap_or_default();
        keys.finish(shape);
        all.push(YamlRow { place: item.place, when, then });
    }
    Some((node.place, all))
}

fn cells(shape: &mut Shape<'_>, node: &Node) -> Vec<(Located<String>, Located<String>)> {
    let entries = shape.entries(node).unwrap_or_default();
    entries.iter().filter_map(|Entry { key, value }| Some((key.clone(), cell(shape, value)?))).collect()
}

/// The text of a cell as written. `[0..5]` is a list to YAML, and is shown how to be written.
fn cell(shape: &mut Shape<'_>, node: &Node) -> Option<Located<String>> {
    if matches!(node.content, Content::Scalar(_)) && node.is_null() {
        return Some(Located::new(String::new(), node.place));
    }
    shape.expression(node)
}

fn only_for_csv(sheet: &Sheet, findings: &mut Vec<Diagnostic>) {
    let separator = sheet.separator.as_ref().map(|found| ("separator", found.place));
    let comma = sheet.decimal_comma.as_ref().map(|found| ("decimal_comma", found.place));
    for (key, place) in separator.into_iter().chain(comma) {
        let message = format!("`{key}` is about a CSV file, and this table has its rows here");
        findings.push(Diagnostic::error("B032", place, message).help("remove it"));
    }
}

fn read_grid(
    table: &mut TableDeclaration,
    file: u32,
    source: &Source,
    separator: u8,
    findings: &mut Vec<Diagnostic>,
) {
    let grid = match grid::read(file, source, separator) {
        Ok(grid) => grid,
        Err((error, place)) => {
            let help = "the first line names the columns, such as `age,-> limit`";
            findings.push(Diagnostic::error("B030", place, format!("this is no table: {error}")).help(help));
            return;
        }
    };
    let (first, last) = (grid.header.first(), grid.header.last());
    if let (Some(first), Some(last)) = (first, last) {
        table.place = Place { file, span: Span { start: first.place.span.start, end: last.place.span.end } };
    }
    // A spreadsheet that was wider once leaves empty columns behind.
    let is_blank = |at: usize| {
        let cells = std::iter::once(&grid.header).chain(&grid.rows).filter_map(|row| row.get(at));
        cells.into_iter().all(|cell| cell.value.is_empty())
    };
    let width = (0..grid.header.len()).rev().find(|at| !is_blank(*at)).map_or(0, |at| at + 1);
    if let [only] = grid.header.as_slice()
        && let Some(other) = [';', '\t', ',', '|'].into_iter().find(|other| only.value.contains(*other))
    {
        let (shown, word) =
            if other == '\t' { ("a tab", "tab".to_owned()) } else { ("it", format!("\"{other}\"")) };
        let message = format!("the header is one column: {shown} does not separate the columns here");
        let help =
            format!("write `separator: {word}` in `{}.table.yaml`, or save it with commas", table.name.value);
        let message =
            if other == '\t' { message } else { message.replace("it does", &format!("`{other}` does")) };
        findings.push(Diagnostic::error("B033", only.place, message).help(help));
        return;
    }
    for header in grid.header.iter().take(width) {
        let (name, is_output) = column_name(header);
        if name.value.is_empty() {
            let message = "this column has no name";
            let help = "name an input or a feature, or `-> name` for what rows give";
            findings.push(Diagnostic::error("B030", header.place, message).help(help));
        }
        table.columns.push(ColumnDeclaration { name, kind: None, is_output });
    }
    for (at, mut cells) in grid.rows.into_iter().enumerate() {
        let more = cells.get(width..).unwrap_or_default();
        let extra = more.iter().find(|cell| !cell.value.is_empty()).cloned();
        let last = cells.last().map(|cell| cell.place).unwrap_or_default();
        if cells.len() < width || extra.is_some() {
            let message = format!("this row has {} cells, and the header has {width}", cells.len());
            let help = "write `-` for any value; a cell that holds the separator stands in `\"…\"`";
            let place = extra.map_or(last, |cell| cell.place);
            findings.push(Diagnostic::error("B031", place, message).help(help));
            continue;
        }
        cells.truncate(width);
        let number = u32::try_from(at + 1).unwrap_or(u32::MAX);
        table.rows.push(RowDeclaration { number, cells });
    }
}

/// Puts the rows of YAML into columns: those that are declared, then each in the order in which rows name it.
fn lay_out(
    table: &mut TableDeclaration,
    rows: &[YamlRow],
    declared: &[(Located<String>, bool, Located<Kind>)],
    findings: &mut Vec<Diagnostic>,
) {
    let mut places: BTreeMap<(bool, &str), usize> = BTreeMap::new();
    let mut names: Vec<(&Located<String>, bool)> = Vec::new();
    let cells = |is_output: bool| {
        rows.iter().flat_map(move |row| if is_output { &row.then } else { &row.when }).map(|(name, _)| name)
    };
    for is_output in [false, true] {
        let declared = declared.iter().filter(|(_, output, _)| *output == is_output).map(|(name, ..)| name);
        for name in declared.chain(cells(is_output)) {
            places.entry((is_output, name.value.as_str())).or_insert_with(|| {
                names.push((name, is_output));
                names.len() - 1
            });
        }
    }
    for (name, is_output) in &names {
        table.columns.push(ColumnDeclaration { name: (*name).clone(), kind: None, is_output: *is_output });
    }
    for (at, row) in rows.iter().enumerate() {
        let mut cells: Vec<Located<String>> = names
            .iter()
            .map(|(_, is_output)| {
                // What a row does not ask for may be anything; what it does not give is a finding.
                let text = if *is_output { "" } else { "-" };
                Located::new(text.to_owned(), row.place)
            })
            .collect();
        for (is_output, (name, cell)) in
            row.when.iter().map(|cell| (false, cell)).chain(row.then.iter().map(|cell| (true, cell)))
        {
            let at = places.get(&(is_output, name.value.as_str()));
            if let Some(slot) = at.and_then(|at| cells.get_mut(*at)) {
                *slot = cell.clone();
            }
        }
        if row.then.is_empty() && names.iter().any(|(_, is_output)| *is_output) {
            findings.push(
                Diagnostic::error("Y010", row.place, "this row gives nothing").help("write `then: { … }`"),
            );
            continue;
        }
        table.rows.push(RowDeclaration { number: u32::try_from(at + 1).unwrap_or(u32::MAX), cells });
    }
}

fn declare_types(
    table: &mut TableDeclaration,
    declared: &[(Located<String>, bool, Located<Kind>)],
    findings: &mut Vec<Diagnostic>,
) {
    // Without a header every name would look unknown.
    if table.columns.is_empty() {
        return;
    }
    for (name, is_output, kind) in declared {
        let named = |column: &&mut ColumnDeclaration| {
            column.name.value == name.value && column.is_output == *is_output
        };
        if let Some(column) = table.columns.iter_mut().find(named) {
            column.kind = Some(kind.clone());
            continue;
        }
        let arrow = |is_output: bool| if is_output { "-> " } else { "" };
        let message = format!("the header has no column `{}{}`", arrow(*is_output), name.value);
        let names: Vec<String> =
            table.columns.iter().map(|c| format!("{}{}", arrow(c.is_output), c.name.value)).collect();
        let wanted = format!("{}{}", arrow(*is_output), name.value);
        let near = crate::domain::nearest::nearest(&wanted, names.iter().map(String::as_str));
        let help = near.map_or_else(
            || format!("it has `{}`", names.join("`, `")),
            |near| format!("did you mean `{near}`?"),
        );
        findings.push(Diagnostic::error("B034", name.place, message).help(help));
    }
}
