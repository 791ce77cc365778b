//! Other servers' own clients against the real program: what `tests/clients/` holds, run by the Python that
//! `tests/clients-up.sh` prepares.

use std::path::PathBuf;
use std::process::Command;

use serde_json::json;

use crate::app::{Process, repository};
use crate::model_doors::{expected, home, model, rows};

/// The prepared Python; `None`, said loudly, where there is none. `TOLLGATE_TEST_CLIENTS=required` refuses that.
pub fn python() -> Option<PathBuf> {
    python_of("clients")
}

fn python_of(folder: &str) -> Option<PathBuf> {
    let python = repository().join("target").join(folder).join("bin/python");
    if python.exists() {
        return Some(python);
    }
    skipped("no clients of model servers are installed: run `tests/clients-up.sh`, or `tests/run`");
    None
}

/// Says loudly what a test goes without. `TOLLGATE_TEST_CLIENTS=required` refuses that.
pub fn skipped(why: &str) {
    assert!(std::env::var_os("TOLLGATE_TEST_CLIENTS").is_none_or(|wish| wish != "required"), "{why}");
    eprintln!("SKIPPED: {why}");
}

/// Runs a script of `tests/clients/` with rows and the answers that they must get. `at`: the address and, after it, what
/// else the script is told.
pub fn run(python: &PathBuf, script: &str, at: &[&str], process: &Process) {
    let (one, two) = (model(1), model(2));
    let rows = rows(&one, 20);
    let given =
        json!({ "rows": rows, "expected": { "1": expected(&one, &rows), "2": expected(&two, &rows) } });
    let file = tempfile::NamedTempFile::new().unwrap();
    std::fs::write(file.path(), given.to_string()).unwrap();
    let script = repository().join("tests/clients").join(script);
    let mut command = Command::new(python);
    if script.ends_with("tensorflow_grpc.py") {
        // Stubs of an old protoc need it.
        command.env("PROTOCOL_BUFFERS_PYTHON_IMPLEMENTATION", "python");
    }
    let ran = command.arg(script).arg(at[0]).arg(file.path()).args(&at[1..]).output().unwrap();
    let (said, wrong) = (String::from_utf8_lossy(&ran.stdout), String::from_utf8_lossy(&ran.stderr));
    assert!(ran.status.success(), "{said}{wrong}\n{}", process.said());
    assert!(said.contains("all calls answered"), "{said}");
}

#[test]
fn nvidias_http_client_has_all_its_calls_answered() {
    let Some(python) = python() else { return };
    let home = home();
    let process = home.spawn(&["--models-only", "--models", "models"]);
    run(&python, "triton_http.py", &[process.api.address()], &process);
}

#[test]
fn nvidias_grpc_client_has_all_its_calls_answered() {
    let Some(python) = python() else { return };
    let home = home();
    let process = home.spawn(&["--models-only", "--models", "models"]);
    run(&python, "triton_grpc.py", &[&process.grpc], &process);
}

#[test]
fn a_tensorflow_serving_client_has_all_its_calls_answered() {
    let Some(python) = python_of("clients-tensorflow") else { return };
    let home = home();
    let process = home.spawn(&["--models-only", "--models", "models"]);
    run(&python, "tensorflow_grpc.py", &[&process.grpc], &process);
}
