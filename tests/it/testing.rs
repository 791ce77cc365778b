//! docs/testing.md, from its first line to its last: its files are written, its commands run in one folder, and what it
//! shows is what they print.

use std::path::{Path, PathBuf};
use std::process::Command;

use crate::app::{Home, repository};
use crate::explaining::is_shown;

/// What stands between fences: the words behind the first one, and what is inside.
fn blocks(page: &str) -> Vec<(Vec<&str>, &str)> {
    let inside = page.split("\n```").skip(1).step_by(2);
    inside
        .map(|block| {
            let (head, body) = block.split_once('\n').unwrap();
            (head.split_whitespace().collect(), body)
        })
        .collect()
}

fn run(command: &str, folder: &Path) -> (String, String) {
    let built = Path::new(env!("CARGO_BIN_EXE_tollgate")).parent().unwrap();
    let path = format!("{}:{}", built.display(), std::env::var("PATH").unwrap());
    let mut shell = Command::new("sh");
    shell.args(["-c", command]).current_dir(folder).env("PATH", path).env("NO_COLOR", "1");
    shell.env("GIT_CONFIG_GLOBAL", "/dev/null").env("GIT_CONFIG_SYSTEM", "/dev/null");
    for (name, value) in [("NAME", "An analyst"), ("EMAIL", "analyst@example.com")] {
        shell.env(format!("GIT_AUTHOR_{name}"), value).env(format!("GIT_COMMITTER_{name}"), value);
    }
    let out = shell.output().unwrap();
    let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
    (text(&out.stdout), text(&out.stderr))
}

#[test]
fn the_walk_through_testing_a_policy_shows_what_the_commands_print() {
    let home = Home::empty();
    let mut folder: PathBuf = home.path("");
    let page = std::fs::read_to_string(repository().join("docs/testing.md")).unwrap();
    let (mut commands, mut differ) = (0, Vec::new());
    for (head, body) in blocks(&page) {
        match head.as_slice() {
            ["console"] => {
                for step in format!("\n{body}").split("\n$ ").skip(1) {
                    let (command, shown) = step.split_once('\n').unwrap_or((step, ""));
                    commands += 1;
                    if let Some(into) = command.strip_prefix("cd ") {
                        folder.push(into);
                        continue;
                    }
                    let (printed, said) = run(command, &folder);
                    if !is_shown(shown, &printed) {
                        differ.push(format!(
                            "$ {command}\nis shown as\n{shown}\nprints\n{printed}\nand says\n{said}"
                        ));
                    }
                }
            }
            [_, file] => {
                let path = folder.join(file);
                std::fs::create_dir_all(path.parent().unwrap()).unwrap();
                std::fs::write(path, format!("{body}\n")).unwrap();
            }
            other => panic!("a block of {other:?}"),
        }
    }
    assert!(differ.is_empty(), "{}", differ.join("\n\n"));
    assert!(commands > 30, "{commands} commands were tried: how are blocks written now?");
}
