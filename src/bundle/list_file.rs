//! `NAME.list.csv` as written: one entry a line, or a first column `entry` with `note` and `expires` beside it. What
//! spreadsheets do to such files is found here; what a list is asked is the flow's.

use std::collections::BTreeMap;
use std::sync::Arc;

use super::revision::sha256_hex;
use crate::documents::table::{Cells, TableError, each_record};
use crate::domain::diagnostic::{Diagnostic, Severity};
use crate::domain::list::{Entries, Expires, List, ListMatch, ListOptions};
use crate::domain::place::{Place, Span};

/// Findings of one code in one list that are shown; of a damaged column every line would be one.
const MOST_FINDINGS: usize = 20;
/// Bytes of one entry.
const LONGEST_ENTRY: usize = 1024;

/// How a list's file is to be read, as `lists:` declares it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ListFile {
    pub options: ListOptions,
    pub separator: u8,
    /// `leading_zeros: none`: the numbers of this list never begin with a zero, so none can have been lost.
    pub has_no_leading_zeros: bool,
}

impl Default for ListFile {
    fn default() -> Self {
        Self { options: ListOptions::default(), separator: b',', has_no_leading_zeros: false }
    }
}

/// Reads a list, and says everything that is wrong with its file. The list holds what could be read.
#[must_use]
pub fn read_list(file: u32, text: &str, declared: &ListFile) -> (List, Vec<Diagnostic>) {
    let mut reader = Reader {
        file,
        text,
        declared,
        entries: Entries::with_capacity(text.len() / 16, text.len() / 2),
        columns: None,
        digits: Digits::default(),
        findings: BTreeMap::new(),
    };
    let read = each_record(text.as_bytes(), declared.separator, |at, cells| reader.record(at, cells));
    if let Err(error) = read {
        let line = match error {
            TableError::Unreadable { line } | TableError::NotUtf8 { line } => line,
            _ => 1,
        };
        let message = format!("line {line} cannot be read as CSV");
        reader.found(Diagnostic::error("B020", Place { file, span: Span::default() }, message));
    }
    reader.lost_zeros();
    let Reader { entries, mut findings, .. } = reader;
    let (list, duplicates) = List::new(Arc::from(sha256_hex(text.as_bytes())), declared.options, entries);
    for doubled in duplicates {
        let place = Place { file, span: list.span(doubled.entry) };
        let line = line_of(text, list.span(doubled.earlier).start);
        let finding = if doubled.is_contradiction {
            let message = format!("this entry stands in line {line} too, and expires there at another time");
            Diagnostic::error("B025", place, message).help("keep the line that is right")
        } else {
            Diagnostic::warning("B025", place, format!("this entry stands in line {line} too"))
                .help("remove one of the two")
        };
        keep(&mut findings, finding);
    }
    (list, shown(findings))
}

/// Findings by code: those that are shown, and how many there are.
type Found = BTreeMap<(&'static str, Severity), (Vec<Diagnostic>, usize)>;

fn keep(findings: &mut Found, finding: Diagnostic) {
    let (kept, count) = findings.entry((finding.code, finding.severity)).or_default();
    *count += 1;
    if kept.len() < MOST_FINDINGS {
        kept.push(finding);
    }
}

fn shown(findings: Found) -> Vec<Diagnostic> {
    let mut all = Vec::new();
    for (mut kept, count) in findings.into_values() {
        let more = count - kept.len();
        if let Some(last) = kept.last_mut().filter(|_| more > 0) {
            last.message = format!("{} (and {more} more like it in this list)", last.message);
        }
        all.append(&mut kept);
    }
    all
}

fn line_of(text: &str, offset: u32) -> usize {
    let before = text.as_bytes().get(..usize::try_from(offset).unwrap_or_default()).unwrap_or_default();
    before.iter().filter(|byte| **byte == b'\n').count() + 1
}

struct Reader<'a> {
    file: u32,
    text: &'a str,
    declared: &'a ListFile,
    entries: Entries,
    /// `None` before the first record.
    columns: Option<Columns>,
    digits: Digits,
    findings: Found,
}

#[derive(Debug, Clone, Copy, Default)]
struct Columns {
    has_header: bool,
    count: usize,
    expires: Option<usize>,
}

impl Reader<'_> {
    fn found(&mut self, finding: Diagnostic) {
        keep(&mut self.findings, finding);
    }

    fn at(&self, offset: usize, length: usize) -> Place {
        Place { file: self.file, span: Span::new(offset, offset + length) }
    }

    fn record(&mut self, offset: usize, cells: Cells<'_>) {
        let Some(columns) = self.columns else {
            let columns = self.header(offset, cells);
            self.columns = Some(columns);
            if !columns.has_header {
                self.entry(offset, cells, columns);
            }
            return;
        };
        self.entry(offset, cells, columns);
    }

    /// The first record: a header exactly when its first cell is `entry`.
    fn header(&mut self, offset: usize, cells: Cells<'_>) -> Columns {
        let first = cells.get(0).unwrap_or_default().trim();
        let place = self.at(offset, first.len());
        if first != "entry" {
            if ["entry", "entries"].contains(&first.to_lowercase().as_str()) {
                let message = format!("`{first}` would be the first entry of this list");
                self.found(
                    Diagnostic::error("B020", place, message).help("a header begins with the word `entry`"),
                );
            }
            return Columns { has_header: false, count: 1, expires: None };
        }
        let mut columns = Columns { has_header: true, count: cells.len(), expires: None };
        let names: Vec<&str> = cells.iter().map(str::trim).collect();
        for (at, name) in names.iter().enumerate().skip(1) {
            if names.iter().take(at).any(|earlier| earlier == name) {
                let message = format!("the column `{}` stands twice", name.escape_debug());
                self.found(Diagnostic::error("B020", place, message).help("remove one of the two"));
                continue;
            }
            match *name {
                "note" => {}
                "expires" => columns.expires = Some(at),
                _ => {
                    let message = format!("a list has no column `{}`", name.escape_debug());
                    let help = "the columns of a list are `entry`, `note` and `expires`";
                    self.found(Diagnostic::error("B020", place, message).help(help));
                }
            }
        }
        columns
    }

    fn entry(&mut self, offset: usize, cells: Cells<'_>, columns: Columns) {
        let written = cells.get(0).unwrap_or_default();
        let text = written.trim();
        let quoted = usize::from(self.text.as_bytes().get(offset) == Some(&b'"'));
        let offset = offset + quoted + (written.len() - written.trim_start().len());
        let place = self.at(offset, text.len());
        if cells.len() != columns.count {
            let message = if columns.has_header {
                format!("{} cells, but the header has {}", cells.len(), columns.count)
            } else {
                format!("{} cells, but a list without a header has one entry a line", cells.len())
            };
            let help = if columns.has_header {
                "write one cell for each column, with a text that holds the separator in double quotes"
            } else {
                "begin the file with `entry,note,expires`, or write the entry in double quotes"
            };
            self.found(Diagnostic::error("B020", place, message).help(help));
            return;
        }
        if let Some(finding) = self.unfit(text, place) {
            self.found(finding);
            return;
        }
        let expires = match columns.expires.and_then(|at| cells.get(at)).map(str::trim) {
            None | Some("") => None,
            Some(written) => match expiry(written) {
                Some(expires) => Some(expires),
                None => {
                    let message = format!("`{}` is not a date", written.escape_debug());
                    let help =
                        "write `2026-12-31`, or `2026-12-31T18:00:00+01:00`; nothing if it never expires";
                    self.found(Diagnostic::error("B026", place, message).help(help));
                    return;
                }
            },
        };
        self.digits.add(text, self.entries.count());
        self.entries.push(text, place.span.start, expires);
    }

    /// Why a text cannot be an entry.
    fn unfit(&self, text: &str, place: Place) -> Option<Diagnostic> {
        let shown: String = text.chars().take(40).collect();
        let refuse = |code: &'static str, message: String, help: &str| {
            Some(Diagnostic::error(code, place, message).help(help))
        };
        if text.is_empty() {
            return refuse("B021", "an entry is blank".to_owned(), "remove the line, or write the entry");
        }
        if text.len() > LONGEST_ENTRY {
            return refuse("B024", "an entry has more than 1024 bytes".to_owned(), "shorten it");
        }
        if is_damaged(text) {
            let message = format!("`{shown}` is what a spreadsheet has made of an entry");
            return refuse("B022", message, "format the column as text before the entries are pasted");
        }
        if text.starts_with("# ") {
            let message = "a list has no comments: this line would be an entry".to_owned();
            return refuse("B020", message, "begin the file with `entry,note` and say it in the note");
        }
        let unfit = match self.declared.options.match_by {
            ListMatch::Exact => return None,
            ListMatch::Prefix => text.ends_with('*'),
            ListMatch::Domain => {
                let host = text.strip_suffix('.').unwrap_or(text);
                text.contains(['@', '*', '/', ':', ' ']) || host.split('.').any(str::is_empty)
            }
        };
        let (what, help) = match self.declared.options.match_by {
            ListMatch::Prefix => ("prefix", "write the beginning alone, without `*`"),
            _ => ("domain", "write it like `example.com`; what is below it is matched as well"),
        };
        if unfit { refuse("B024", format!("`{shown}` is not a {what}"), help) } else { None }
    }

    /// A column of numbers of one length, of which some are shorter: their leading zeros are gone.
    fn lost_zeros(&mut self) {
        if self.declared.has_no_leading_zeros {
            return;
        }
        let Some((entry, length)) = self.digits.shortened() else { return };
        let span = self.entries.span(entry);
        let message = format!(
            "this number has fewer than {length} digits, as most have, and none begins with a zero: a spreadsheet may have taken leading zeros away"
        );
        let place = Place { file: self.file, span };
        self.found(
            Diagnostic::warning("B023", place, message)
                .help("restore them, or declare `leading_zeros: none` for this list"),
        );
    }
}

fn expiry(text: &str) -> Option<Expires> {
    if text.len() == 10 {
        return text.parse().ok().map(Expires::On);
    }
    text.parse().ok().filter(|_| text.get(10..11) == Some("T")).map(Expires::At)
}

/// `5.21E+12`, `#REF!`, `########`.
fn is_damaged(text: &str) -> bool {
    let scientific = text.split_once("E+").is_some_and(|(mantissa, exponent)| {
        let is_mantissa = |c: char| c.is_ascii_digit() || c == '.' || c == ',';
        mantissa.starts_with(|c: char| c.is_ascii_digit())
            && mantissa.chars().all(is_mantissa)
            && !exponent.is_empty()
            && exponent.chars().all(|c| c.is_ascii_digit())
    });
    let errors = ["#REF!", "#N/A", "#NAME?", "#VALUE!", "#DIV/0!", "#NUM!", "#NULL!"];
    scientific || errors.contains(&text) || (text.len() > 2 && text.bytes().all(|byte| byte == b'#'))
}

/// Lengths of the entries, as long as all of them are digits and none begins with a zero.
#[derive(Debug, Default)]
struct Digits {
    is_other: bool,
    /// By length: how many, and the first of them.
    lengths: BTreeMap<usize, (usize, u32)>,
}

impl Digits {
    fn add(&mut self, text: &str, entry: u32) {
        if self.is_other {
            return;
        }
        if text.starts_with('0') || !text.bytes().all(|byte| byte.is_ascii_digit()) {
            self.is_other = true;
            return;
        }
        self.lengths.entry(text.len()).or_insert((0, entry)).0 += 1;
    }

    /// The first entry that is a little shorter than at least three quarters of the others, and their length.
    fn shortened(&self) -> Option<(u32, usize)> {
        if self.is_other {
            return None;
        }
        let all: usize = self.lengths.values().map(|(count, _)| count).sum();
        let (longest, (count, _)) = self.lengths.last_key_value()?;
        let shorter = || self.lengths.iter().filter(|(length, _)| *length < longest);
        let is_near = shorter().all(|(length, _)| length + 3 >= *longest);
        let telling = all >= 8 && *longest >= 4 && *count < all && count * 4 >= all * 3 && is_near;
        let first = shorter().map(|(_, (_, entry))| *entry).min();
        first.filter(|_| telling).map(|entry| (entry, *longest))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(text: &str, declared: &ListFile, entries: &[&str], codes: &[(&str, u32)]) {
        let (list, mut findings) = read_list(0, text, declared);
        let read: Vec<&str> =
            (0..u32::try_from(list.len()).unwrap()).map(|entry| list.entry(entry)).collect();
        assert_eq!(read, entries, "{findings:#?}");
        findings.sort_by_key(|finding| finding.place.span.start);
        let found: Vec<(&str, u32)> =
            findings.iter().map(|finding| (finding.code, finding.place.span.start)).collect();
        assert_eq!(found, codes, "{findings:#?}");
    }

    fn matched(match_by: ListMatch) -> ListFile {
        let options = ListOptions { match_by, ..ListOptions::default() };
        ListFile { options, ..ListFile::default() }
    }

    #[test]
    fn a_file_without_a_header_has_one_entry_a_line() {
        let plain = ListFile::default();
        check("a\n b \n\n\"c, d\"\n", &plain, &["a", "b", "c, d"], &[]);
        check("", &plain, &[], &[]);
        check("\u{feff}a\r\nb", &plain, &["a", "b"], &[]);
        check("a,b\nc\n", &plain, &["c"], &[("B020", 0)]);
        check("Entry\na\n", &plain, &["Entry", "a"], &[("B020", 0)]);
        check("a\n   \nb\n", &plain, &["a", "b"], &[("B021", 5)]);
        check("# blocked\na\n", &plain, &["a"], &[("B020", 0)]);
    }

    #[test]
    fn a_header_begins_with_entry() {
        let plain = ListFile::default();
        check("entry,note\na,because\n", &plain, &["a"], &[]);
        check("entry,expires,note\na,2026-01-01,x\nb,,\n", &plain, &["a", "b"], &[]);
        check("entry,reason\na,b\n", &plain, &["a"], &[("B020", 0)]);
        check("entry,note,note\na,b,c\n", &plain, &["a"], &[("B020", 0)]);
        check("entry,note\na\n,x\n", &plain, &[], &[("B020", 11), ("B021", 13)]);
        let semicolon = ListFile { separator: b';', ..plain };
        check("entry;note\r\na,b;c\r\n", &semicolon, &["a,b"], &[]);
    }

    #[test]
    fn an_expiry_is_a_date_or_a_moment_with_its_offset() {
        let plain = ListFile::default();
        for (written, fine) in [
            ("2026-12-31", true),
            ("2026-12-31T10:00:00Z", true),
            ("2026-12-31T10:00:00+05:30", true),
            ("2026-12-31T10:00:00", false),
            ("2026-02-30", false),
            ("31.12.2026", false),
            ("never", false),
        ] {
            let text = format!("entry,expires\na,{written}\n");
            let (entries, codes): (&[&str], &[_]) = if fine { (&["a"], &[]) } else { (&[], &[("B026", 14)]) };
            check(&text, &plain, entries, codes);
        }
    }

    #[test]
    fn what_a_spreadsheet_damages_is_found() {
        let plain = ListFile::default();
        check(
            "5.21E+12\n\"5,21E+12\"\n#REF!\n####\nE+5\n1E5\n",
            &plain,
            &["E+5", "1E5"],
            &[("B022", 0), ("B022", 10), ("B022", 20), ("B022", 26)],
        );
        let some_short = "1234567\n".repeat(8).replacen("1234567", "234567", 1);
        let distinct: String = some_short
            .lines()
            .enumerate()
            .map(|(at, line)| format!("{at}{line}\n").replacen('0', "9", 1))
            .collect();
        check(
            &distinct,
            &ListFile { has_no_leading_zeros: true, ..plain },
            &distinct.lines().collect::<Vec<_>>(),
            &[],
        );
        check(&distinct, &plain, &distinct.lines().collect::<Vec<_>>(), &[("B023", 0)]);
        let with_zero = distinct.clone() + "01234567\n";
        check(&with_zero, &plain, &with_zero.lines().collect::<Vec<_>>(), &[]);
    }

    #[test]
    fn what_is_no_prefix_or_domain_is_refused() {
        check("0900*\n0900\n", &matched(ListMatch::Prefix), &["0900"], &[("B024", 0)]);
        let domains = "a@example.com\n*.example.com\n.example.com\nexample.com\nlocalhost\nshop.org.\n";
        check(
            domains,
            &matched(ListMatch::Domain),
            &["example.com", "localhost", "shop.org."],
            &[("B024", 0), ("B024", 14), ("B024", 28)],
        );
    }

    #[test]
    fn an_entry_that_stands_twice_is_found_and_many_are_counted() {
        check("a\nb\na\n", &ListFile::default(), &["a", "b", "a"], &[("B025", 4)]);
        let (_, findings) = read_list(0, &"a\n".repeat(100), &ListFile::default());
        assert_eq!(findings.len(), MOST_FINDINGS);
        assert!(findings.last().unwrap().message.contains("79 more"), "{findings:#?}");
        let expiring = "entry,expires\na,2026-01-01\na,2026-01-02\n";
        let (_, findings) = read_list(0, expiring, &ListFile::default());
        assert_eq!(findings.first().map(|f| f.severity), Some(Severity::Error));
    }
}
