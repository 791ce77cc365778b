//! `deploy/ci/`: the hook and the steps of the workflows, run on a git repository of their own.

use std::path::Path;
use std::process::{Command, Output};

use serde_json::Value as Json;

use crate::app::{Home, copy_folder, repository};

/// A home that is a git repository, with what `deploy/ci/README.md` says to copy.
struct Repository {
    home: Home,
}

impl Repository {
    fn of(home: Home) -> Self {
        copy_folder(&repository().join("deploy/ci"), &home.path("ci"));
        std::fs::copy(repository().join("deploy/ci/tollgate-ci"), home.path(".tollgate-ci")).unwrap();
        let made = Self { home };
        made.git(&["init", "--quiet", "--initial-branch", "main"]);
        made.git(&["add", "--all"]);
        made.git(&["commit", "--quiet", "--message", "rules as they are"]);
        made
    }

    fn command(&self, program: &str) -> Command {
        let built = Path::new(env!("CARGO_BIN_EXE_tollgate")).parent().unwrap();
        let path = format!("{}:{}", built.display(), std::env::var("PATH").unwrap());
        let mut command = Command::new(program);
        command.current_dir(self.home.path("")).env("PATH", path).env("NO_COLOR", "1");
        command.env("GIT_CONFIG_GLOBAL", "/dev/null").env("GIT_CONFIG_SYSTEM", "/dev/null");
        for (name, value) in [("NAME", "An analyst"), ("EMAIL", "analyst@example.com")] {
            command.env(format!("GIT_AUTHOR_{name}"), value).env(format!("GIT_COMMITTER_{name}"), value);
        }
        command
    }

    fn git(&self, arguments: &[&str]) -> String {
        let out = self.command("git").args(arguments).output().unwrap();
        assert!(out.status.success(), "{arguments:?}: {}", said(&out));
        said(&out)
    }

    /// Stages everything and commits, past the hook if that lets it.
    fn commit(&self) -> (bool, String) {
        self.git(&["add", "--all"]);
        let out = self.command("git").args(["commit", "--message", "a change"]).output().unwrap();
        (out.status.success(), said(&out))
    }

    /// The steps of a workflow, as a runner would run them: each in a shell that stops at the first failure.
    fn steps(&self, steps: &[String], variables: &[(&str, &str)]) -> (bool, String) {
        let (mut is_fine, mut told) = (true, String::new());
        for step in steps {
            let mut command = self.command("bash");
            command.args(["-eo", "pipefail", "-c", step]).envs(variables.iter().copied());
            let out = command.output().unwrap();
            is_fine &= out.status.success();
            told.push_str(&said(&out));
        }
        (is_fine, told)
    }
}

fn said(out: &Output) -> String {
    format!("{}{}", String::from_utf8_lossy(&out.stdout), String::from_utf8_lossy(&out.stderr))
}

/// A YAML file of `deploy/ci/`.
fn workflow(name: &str) -> Json {
    let text = std::fs::read_to_string(repository().join("deploy/ci").join(name)).unwrap();
    serde_yaml::from_str(&text).unwrap_or_else(|error| panic!("{name}: {error}"))
}

fn texts(list: &Json) -> Vec<String> {
    list.as_array().unwrap().iter().map(|text| text.as_str().unwrap().to_owned()).collect()
}

#[test]
fn the_hook_refuses_what_does_not_check_or_fails_and_says_what_a_change_does() {
    let repository = Repository::of(Home::of_samples());
    let home = &repository.home;
    std::os::unix::fs::symlink("../../ci/pre-commit", home.path(".git/hooks/pre-commit")).unwrap();
    let flow = "rules/personal_loan/flow.yaml";

    home.edit(flow, "max_instalment: 650", "max_instalment: 600");
    let (is_committed, told) = repository.commit();
    assert!(is_committed, "{told}");
    assert!(told.contains("~ threshold max_instalment: 650 → 600"), "{told}");
    assert!(told.contains("compared with HEAD: ") && told.contains("approve → review: "), "{told}");

    home.edit(flow, "min_age: 18", "min_age: 30");
    let (is_committed, told) = repository.commit();
    assert!(!is_committed && told.contains("cases fail; nothing was committed"), "{told}");
    assert!(told.contains("expected") || told.contains("outcome"), "{told}");
    home.edit(flow, "min_age: 30", "min_age: 18");

    home.edit("rules/personal_loan/knockout.rules.yaml", "age < min_age", "age < min_ago");
    let (is_committed, told) = repository.commit();
    assert!(!is_committed && told.contains("the rules do not check; nothing was committed"), "{told}");
    assert!(
        told.contains("--> rules/personal_loan/knockout.rules.yaml:") && told.contains("min_age"),
        "{told}"
    );

    // What is not staged does not count, and a commit of something else looks at nothing.
    repository.git(&["reset", "--quiet"]);
    home.write("notes.md", "of a meeting");
    repository.git(&["add", "notes.md"]);
    assert_eq!(repository.git(&["commit", "--quiet", "--message", "notes"]), "");
    repository.git(&["checkout", "--quiet", "rules"]);
    home.edit(flow, "title: Personal loan", "title: A personal loan");
    repository.git(&["add", "rules"]);
    home.edit(flow, "min_age: 18", "min_age: broken");
    assert!(!repository.git(&["commit", "--message", "a title"]).contains("broken"));
}

#[test]
fn the_steps_of_both_workflows_run_and_leave_their_reports() {
    let github = workflow("github.yml");
    let steps = github["jobs"]["policy"]["steps"].as_array().unwrap();
    let of_github: Vec<String> =
        steps.iter().filter_map(|step| Some(step["run"].as_str()?.to_owned())).collect();
    assert_eq!(of_github.len(), 2);
    for step in steps {
        assert!(step["run"].is_string() != step["uses"].is_string(), "{step}");
    }
    assert_eq!(github["on"]["pull_request"]["paths"], github["on"]["push"]["paths"]);
    let gitlab = workflow("gitlab.yml");
    let of_gitlab = [texts(&gitlab["policy"]["before_script"]), texts(&gitlab["policy"]["script"])].concat();

    for (host, steps, base) in
        [("github", &of_github, "BASE"), ("gitlab", &of_gitlab, "CI_MERGE_REQUEST_DIFF_BASE_SHA")]
    {
        let repository = Repository::of(Home::new());
        let home = &repository.home;
        let summary = home.path("summary.md").display().to_string();
        let mut variables = vec![(base, "main"), ("SUMMARY", summary.as_str())];
        variables.extend([("COVERAGE_MIN", "50"), ("MUTATE_MIN", "10")]);
        if host == "github" {
            variables.push(("GITHUB_ACTIONS", "true"));
        }
        home.edit("rules/personal_loan/flow.yaml", "max_instalment: 650", "max_instalment: 651");
        let (is_fine, told) = repository.steps(steps, &variables);
        assert!(is_fine, "{host}: {told}");
        for step in ["check", "cases, as JUnit", "coverage", "mutation", "compared with main"] {
            assert!(told.contains(&format!("== {step}\n")), "{host}: {told}");
        }
        let report: Json = serde_json::from_str(&home.read("reports/check.sarif")).unwrap();
        assert_eq!(report["version"], "2.1.0");
        assert!(home.read("reports/junit.xml").contains("<testsuite name=\"personal_loan\""));
        assert!(home.read("reports/coverage.lcov").contains("SF:rules/personal_loan/"));
        assert!(home.read("reports/coverage.html").starts_with("<!DOCTYPE html>"));
        let text = home.read("summary.md");
        assert!(text.contains("## What the rules decide otherwise"), "{host}: {text}");
        assert!(text.contains("~ threshold max_instalment: 650 → 651"), "{host}: {text}");
        assert!(text.contains("**Compared with main:**"), "{host}: {text}");

        home.edit("rules/personal_loan/knockout.rules.yaml", "age < min_age", "age < min_ago");
        let (is_fine, told) = repository.steps(steps, &variables);
        assert!(!is_fine, "{host}: {told}");
        if host == "github" {
            let at = "::error file=rules/personal_loan/knockout.rules.yaml,line=";
            assert!(told.contains(at), "{told}");
        }
        let report: Json = serde_json::from_str(&home.read("reports/check.sarif")).unwrap();
        assert_ne!(report["runs"][0]["results"].as_array().unwrap().len(), 0);
    }
}

#[test]
fn without_the_program_the_hook_says_so_and_the_step_that_installs_it_says_what_it_needs() {
    let repository = Repository::of(Home::new());
    let without = |script: &str, arguments: &[&str]| {
        let mut command = Command::new("sh");
        command.arg(repository.home.path(script)).args(arguments).current_dir(repository.home.path(""));
        command.env("PATH", "/usr/bin:/bin").env_remove("TOLLGATE_SOURCE").output().unwrap()
    };
    let installed = without("ci/install", &[]);
    assert_eq!(installed.status.code(), Some(2));
    assert!(said(&installed).contains("TOLLGATE_SOURCE does not say"), "{}", said(&installed));
    let flow = "rules/personal_loan/flow.yaml";
    repository.home.edit(flow, "min_age: 18", "min_age: 19");
    repository.git(&["add", "--all"]);
    let hook = without("ci/pre-commit", &[]);
    assert_eq!(hook.status.code(), Some(1));
    assert!(said(&hook).contains("`tollgate` is not in PATH"), "{}", said(&hook));
}

#[test]
fn the_hook_of_the_framework_is_a_script_that_is_there() {
    let text = std::fs::read_to_string(repository().join(".pre-commit-hooks.yaml")).unwrap();
    let hooks: Json = serde_yaml::from_str(&text).unwrap();
    let hook = &hooks[0];
    assert_eq!((&hook["id"], &hook["language"]), (&"tollgate".into(), &"script".into()));
    assert!(repository().join(hook["entry"].as_str().unwrap()).is_file());
}
