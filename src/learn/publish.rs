//! A new version appears whole or not at all: written beside, synced, then renamed to the next free number.
//! Never overwrites a version and never removes one. What stands beside versions and may change is replaced as whole.

use std::fs::{self, File};
use std::io::{self, Write};
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU32, Ordering};

use super::library::version_number;

/// A file or folder could not be written.
#[derive(Debug, thiserror::Error)]
#[error("`{}` could not be {attempted}", path.display())]
pub struct PublishError {
    pub path: PathBuf,
    pub attempted: &'static str,
    #[source]
    pub source: io::Error,
}

/// Writes `files` as the next version of the model in `folder`; gives its number.
pub(super) fn publish(folder: &Path, files: &[(&str, &[u8])]) -> Result<u32, PublishError> {
    // Hidden, so that a reader of the folder passes over it; named so that two trainings do not meet.
    static DRAFTS: AtomicU32 = AtomicU32::new(0);
    let own = DRAFTS.fetch_add(1, Ordering::Relaxed);
    let draft = folder.join(format!(".draft-{}-{own}", std::process::id()));
    let written = write_draft(&draft, files).and_then(|()| take_number(folder, &draft));
    if written.is_err() {
        // What is left of the draft is only ours; failing to remove it adds nothing to the first error.
        let _ = fs::remove_dir_all(&draft);
    }
    written
}

fn write_draft(draft: &Path, files: &[(&str, &[u8])]) -> Result<(), PublishError> {
    if draft.exists() {
        fs::remove_dir_all(draft).map_err(failed(draft, "removed"))?;
    }
    fs::create_dir(draft).map_err(failed(draft, "made"))?;
    for (name, bytes) in files {
        let path = draft.join(name);
        let mut file = File::create_new(&path).map_err(failed(&path, "made"))?;
        file.write_all(bytes).and_then(|()| file.sync_all()).map_err(failed(&path, "written"))?;
    }
    sync(draft)
}

/// Renames the draft to one more than the highest number; when another training was quicker, to the one after.
fn take_number(folder: &Path, draft: &Path) -> Result<u32, PublishError> {
    loop {
        let number = highest(folder)?.saturating_add(1);
        let place = folder.join(number.to_string());
        match fs::rename(draft, &place) {
            Ok(()) => return sync(folder).map(|()| number),
            // A version is never empty, so renaming onto one fails instead of replacing it.
            Err(error)
                if matches!(
                    error.kind(),
                    io::ErrorKind::DirectoryNotEmpty | io::ErrorKind::AlreadyExists
                ) => {}
            Err(error) => return Err(failed(&place, "made")(error)),
        }
    }
}

/// Puts bytes in the place of a file, if there is one: at no time is there half a file.
pub(super) fn replace(path: &Path, bytes: &[u8]) -> Result<(), PublishError> {
    let name = path.file_name().unwrap_or_default().to_string_lossy();
    // Hidden, so that a reader of the folder passes over it.
    let draft = path.with_file_name(format!(".{name}-{}", std::process::id()));
    let written = File::create(&draft)
        .and_then(|mut file| file.write_all(bytes).and_then(|()| file.sync_all()))
        .map_err(failed(&draft, "written"))
        .and_then(|()| fs::rename(&draft, path).map_err(failed(path, "replaced")));
    if written.is_err() {
        // Only ours; failing to remove it adds nothing to the first error.
        let _ = fs::remove_file(&draft);
        return written;
    }
    sync(path.parent().unwrap_or(path))
}

fn highest(folder: &Path) -> Result<u32, PublishError> {
    let mut highest = 0;
    for entry in fs::read_dir(folder).map_err(failed(folder, "read"))? {
        let entry = entry.map_err(failed(folder, "read"))?;
        if let Some(number) = entry.file_name().to_str().and_then(version_number) {
            highest = highest.max(number);
        }
    }
    Ok(highest)
}

/// A rename is on disk when its folder is.
fn sync(folder: &Path) -> Result<(), PublishError> {
    File::open(folder).and_then(|folder| folder.sync_all()).map_err(failed(folder, "synced"))
}

pub(super) fn failed(path: &Path, attempted: &'static str) -> impl FnOnce(io::Error) -> PublishError {
    let path = path.to_path_buf();
    move |source| PublishError { path, attempted, source }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn versions_count_on_from_the_highest_and_leave_no_draft() {
        let folder = tempfile::tempdir().unwrap();
        for other in ["7", "data", "007"] {
            fs::create_dir(folder.path().join(other)).unwrap();
        }
        assert_eq!(publish(folder.path(), &[("a", b"1")]).unwrap(), 8);
        assert_eq!(publish(folder.path(), &[("a", b"2")]).unwrap(), 9);
        assert_eq!(fs::read(folder.path().join("8/a")).unwrap(), b"1");
        let mut names: Vec<_> = fs::read_dir(folder.path())
            .unwrap()
            .map(|e| e.unwrap().file_name().into_string().unwrap())
            .collect();
        names.sort();
        assert_eq!(names, ["007", "7", "8", "9", "data"]);
    }

    #[test]
    fn trainings_at_once_each_get_a_number_of_their_own() {
        let folder = tempfile::tempdir().unwrap();
        let mut numbers: Vec<u32> = std::thread::scope(|scope| {
            let publish = || scope.spawn(|| publish(folder.path(), &[("a", b"1")]).unwrap());
            let threads: Vec<_> = (0..6).map(|_| publish()).collect();
            threads.into_iter().map(|thread| thread.join().unwrap()).collect()
        });
        numbers.sort_unstable();
        assert_eq!(numbers, [1, 2, 3, 4, 5, 6]);
    }

    #[test]
    fn a_folder_that_does_not_exist_is_named() {
        let folder = tempfile::tempdir().unwrap();
        let error = publish(&folder.path().join("nowhere"), &[]).unwrap_err();
        assert!(error.to_string().contains("nowhere"), "{error}");
    }
}
