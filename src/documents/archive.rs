//! A tar as somebody sent it: its regular files, in memory, under names that lead nowhere else. Absent on purpose:
//! unpacking to a disk, compression (a bomb), and what the files mean.

use std::collections::BTreeSet;
use std::io::Read as _;
use std::sync::Arc;

use tar::{Archive, Entry, EntryType};

/// Entries of one archive, folders included.
pub const MOST_ENTRIES: usize = 500;
/// Bytes of one file.
pub const LARGEST_FILE: u64 = 4 * 1024 * 1024;
/// Bytes of a name.
const LONGEST_NAME: usize = 512;
/// Of what is wrong with entries, this much is told.
const MOST_TOLD: usize = 20;

/// Name and bytes of each file.
pub type Files = Vec<(String, Arc<[u8]>)>;

/// How gzip, bzip2, xz and zstd begin.
const COMPRESSED: &[&[u8]] = &[&[0x1f, 0x8b], b"BZh", b"\xfd7zXZ", &[0x28, 0xb5, 0x2f, 0xfd]];

/// One thing in an archive that cannot be taken.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Unfit {
    /// The entry as it calls itself, as far as that is text.
    pub entry: String,
    /// A stable word: `not_a_file`, `invalid_name`, `duplicate`, `too_large`.
    pub code: &'static str,
    pub detail: String,
}

/// Why an archive was not taken.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum ArchiveError {
    #[error("it is compressed: send the tar itself")]
    Compressed,
    #[error("it is not a tar, or is cut short")]
    Broken,
    #[error("it has more than {MOST_ENTRIES} entries")]
    TooManyEntries,
    #[error("some of its entries cannot be taken")]
    Entries(Vec<Unfit>),
}

/// The regular files of a tar: names with `/`, without a leading `./`, in the order of the archive. Folders are
/// passed over.
///
/// # Errors
/// When it is no tar, or has an entry that is no regular file, has no plain relative name, is there twice (also when
/// only case differs) or is too large.
pub fn files(bytes: &[u8]) -> Result<Files, ArchiveError> {
    if COMPRESSED.iter().any(|begin| bytes.starts_with(begin)) {
        return Err(ArchiveError::Compressed);
    }
    let mut archive = Archive::new(bytes);
    let mut reading = Reading::default();
    for (entry, number) in archive.entries().map_err(|_| ArchiveError::Broken)?.zip(1..) {
        if number > MOST_ENTRIES {
            return Err(ArchiveError::TooManyEntries);
        }
        reading.entry(entry.map_err(|_| ArchiveError::Broken)?)?;
    }
    if reading.unfit.is_empty() { Ok(reading.files) } else { Err(ArchiveError::Entries(reading.unfit)) }
}

#[derive(Default)]
struct Reading {
    files: Files,
    /// In lower case: what one machine keeps apart is one file on the next.
    names: BTreeSet<String>,
    unfit: Vec<Unfit>,
}

impl Reading {
    fn entry(&mut self, mut entry: Entry<'_, &[u8]>) -> Result<(), ArchiveError> {
        let kind = entry.header().entry_type();
        if kind == EntryType::Directory || kind == EntryType::XGlobalHeader {
            return Ok(());
        }
        let raw = entry.path_bytes().into_owned();
        let size = entry.size();
        let name = match self.name(&raw, kind, size) {
            Ok(name) => name,
            Err((code, detail)) => {
                if self.unfit.len() < MOST_TOLD {
                    let entry: String = String::from_utf8_lossy(&raw).chars().take(LONGEST_NAME).collect();
                    self.unfit.push(Unfit { entry, code, detail });
                }
                return Ok(());
            }
        };
        let mut bytes = Vec::new();
        let read =
            entry.by_ref().take(LARGEST_FILE).read_to_end(&mut bytes).map_err(|_| ArchiveError::Broken)?;
        if u64::try_from(read) != Ok(size) {
            return Err(ArchiveError::Broken);
        }
        self.files.push((name, bytes.into()));
        Ok(())
    }

    /// The name of an entry that can be taken, else a code and what is wrong.
    fn name(&mut self, raw: &[u8], kind: EntryType, size: u64) -> Result<String, (&'static str, String)> {
        let name = plain_name(raw).map_err(|detail| ("invalid_name", detail.to_owned()))?;
        if !matches!(kind, EntryType::Regular | EntryType::Continuous) {
            let detail = "only regular files are taken: no links, devices or sparse files";
            return Err(("not_a_file", detail.to_owned()));
        }
        if !self.names.insert(name.to_lowercase()) {
            let detail = "is there twice, or another entry differs only in upper and lower case";
            return Err(("duplicate", detail.to_owned()));
        }
        if size > LARGEST_FILE {
            return Err(("too_large", format!("has more than {} MiB", LARGEST_FILE / 1024 / 1024)));
        }
        Ok(name)
    }
}

/// A relative name without ways out of its folder, on any system.
fn plain_name(raw: &[u8]) -> Result<String, &'static str> {
    let name = std::str::from_utf8(raw).map_err(|_| "its name is not UTF-8")?;
    let name = name.strip_prefix("./").unwrap_or(name);
    if name.len() > LONGEST_NAME {
        return Err("its name is longer than 512 bytes");
    }
    if name.contains(['\\', ':']) || name.chars().any(char::is_control) {
        return Err("its name has a backslash, a colon or a control character");
    }
    if name.is_empty() || name.split('/').any(|part| matches!(part, "" | "." | "..")) {
        return Err("its name is not a relative path without `.` and `..`");
    }
    Ok(name.to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;
    use tar::{Builder, Header};

    /// An entry with exactly this name, which the writer of the crate would refuse.
    fn add(builder: &mut Builder<Vec<u8>>, name: &str, kind: EntryType, bytes: &[u8]) {
        let mut header = Header::new_ustar();
        header.as_mut_bytes()[..name.len()].copy_from_slice(name.as_bytes());
        header.set_entry_type(kind);
        header.set_size(bytes.len() as u64);
        header.set_mode(0o644);
        header.set_cksum();
        builder.append(&header, bytes).unwrap();
    }

    fn tar(entries: &[(&str, EntryType, &[u8])]) -> Vec<u8> {
        let mut builder = Builder::new(Vec::new());
        for (name, kind, bytes) in entries {
            add(&mut builder, name, *kind, bytes);
        }
        builder.into_inner().unwrap()
    }

    fn refused(name: &str, kind: EntryType) -> &'static str {
        match files(&tar(&[(name, kind, b"")])) {
            Err(ArchiveError::Entries(unfit)) => unfit[0].code,
            other => panic!("{name}: {other:?}"),
        }
    }

    #[test]
    fn regular_files_are_read_and_folders_passed_over() {
        let bytes = tar(&[
            ("./", EntryType::Directory, b""),
            ("./rules/", EntryType::Directory, b""),
            ("./rules/loan/flow.yaml", EntryType::Regular, b"flow: loan\n"),
            ("models/m/model.yaml", EntryType::Regular, b""),
        ]);
        let read = files(&bytes).unwrap();
        let shown: Vec<(&str, &[u8])> = read.iter().map(|(name, bytes)| (&**name, &**bytes)).collect();
        assert_eq!(shown, [("rules/loan/flow.yaml", &b"flow: loan\n"[..]), ("models/m/model.yaml", b"")]);
    }

    #[test]
    fn a_long_name_is_read_whole() {
        let name = format!("rules/{}/flow.yaml", "x".repeat(200));
        let mut builder = Builder::new(Vec::new());
        let mut header = Header::new_gnu();
        header.set_size(1);
        builder.append_data(&mut header, &name, &b"x"[..]).unwrap();
        assert_eq!(files(&builder.into_inner().unwrap()).unwrap()[0].0, name);
    }

    #[test]
    fn names_that_lead_elsewhere_and_what_is_no_file_are_refused() {
        for name in
            ["../x", "rules/../../x", "/etc/passwd", "rules//x", "rules/./x", "a\\b", "c:x", "a\nb", "a/"]
        {
            assert_eq!(refused(name, EntryType::Regular), "invalid_name", "{name}");
        }
        for kind in [EntryType::Symlink, EntryType::Link, EntryType::Fifo, EntryType::Char, EntryType::Block]
        {
            assert_eq!(refused("rules/x", kind), "not_a_file", "{kind:?}");
        }
        let twice = tar(&[("rules/A", EntryType::Regular, b"1"), ("./rules/a", EntryType::Regular, b"2")]);
        let Err(ArchiveError::Entries(unfit)) = files(&twice) else { panic!() };
        assert_eq!((unfit[0].code, &*unfit[0].entry), ("duplicate", "./rules/a"));
    }

    #[test]
    fn sizes_and_numbers_have_limits() {
        let large = vec![b'x'; 4 * 1024 * 1024 + 1];
        let Err(ArchiveError::Entries(unfit)) = files(&tar(&[("rules/x", EntryType::Regular, &large)]))
        else {
            panic!()
        };
        assert_eq!(unfit[0].code, "too_large");
        let names: Vec<String> = (0..=MOST_ENTRIES).map(|n| format!("rules/{n}")).collect();
        let entries: Vec<_> =
            names.iter().map(|name| (name.as_str(), EntryType::Regular, &b""[..])).collect();
        assert_eq!(files(&tar(&entries)), Err(ArchiveError::TooManyEntries));
        assert!(files(&tar(&entries[1..])).is_ok());
    }

    #[test]
    fn what_is_no_tar_says_so() {
        let whole = tar(&[("rules/x", EntryType::Regular, &[b'x'; 700])]);
        assert_eq!(files(&whole[..900]), Err(ArchiveError::Broken));
        assert_eq!(files(b"{}"), Err(ArchiveError::Broken));
        assert_eq!(files(&[b'x'; 2048]), Err(ArchiveError::Broken));
        assert_eq!(files(&[0x1f, 0x8b, 8, 0]), Err(ArchiveError::Compressed));
        assert_eq!(files(b""), Ok(Vec::new()));
    }

    #[test]
    fn a_file_that_announces_more_than_there_is_is_broken() {
        let mut header = Header::new_ustar();
        header.set_path("rules/x").unwrap();
        header.set_entry_type(EntryType::Regular);
        header.set_size(u64::MAX / 2);
        header.set_cksum();
        assert!(files(header.as_bytes()).is_err());
    }
}
