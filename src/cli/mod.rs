//! The command line: one file a command. The door to clap and indicatif. Absent on purpose: work of its own;
//! a command reads its arguments, calls the room that does it, and shows what came out.

mod audit;
mod audit_explain;
mod check;
mod decide;
mod declared;
mod diff;
mod drift;
mod explained;
mod facts;
mod import;
mod init;
mod keys;
mod migrate;
mod models;
mod openapi;
mod proto;
mod reference;
mod registry;
mod replay;
mod say;
mod schema;
mod serve;
mod show;
mod test;
mod train;
mod what_if;

use std::process::ExitCode;

use clap::{Args, Parser, Subcommand, ValueEnum};

use crate::config::{self, Flags, Settings};
use say::{Say, Trouble};

/// Decision engine for online risk control: rules and models in one engine, no answer without its record.
#[derive(Debug, Parser)]
#[command(
    name = "tollgate",
    version,
    propagate_version = true,
    arg_required_else_help = true,
    after_help = "Examples:
  tollgate serve                                  decide over HTTP on 127.0.0.1:8080
  tollgate keys create --role caller --name shop  let a program in
  tollgate train german_credit                    fit the next version of a model

Data goes to stdout, talk to stderr. Exit codes: 0 fine, 1 findings, 2 could not run.
A flag beats its environment variable (TOLLGATE_…), which beats config/tollgate.yaml."
)]
struct Cli {
    #[command(flatten)]
    shared: Shared,
    #[command(subcommand)]
    command: Command,
}

/// Flags that every command takes; one that has no use for a flag ignores it.
#[derive(Debug, Args)]
struct Shared {
    /// The configuration file [env: TOLLGATE_CONFIG] [default: config/tollgate.yaml, if it is there]
    #[arg(long, global = true, value_name = "FILE")]
    config: Option<String>,
    /// What it decides: one folder a flow [env: TOLLGATE_RULES] [default: rules]
    #[arg(long, global = true, value_name = "DIR")]
    rules: Option<String>,
    /// What it predicts with: one folder a model [env: TOLLGATE_MODELS] [default: models]
    #[arg(long, global = true, value_name = "DIR")]
    models: Option<String>,
    /// Where records are kept [env: TOLLGATE_DATA] [default: data]
    #[arg(long, global = true, value_name = "DIR")]
    data: Option<String>,
    /// Postgres for all records; better given in the environment [env: TOLLGATE_DATABASE_URL]
    #[arg(long, global = true, value_name = "URL")]
    database_url: Option<String>,
    /// What an answer waits for: local, central, memory [env: TOLLGATE_DURABLE] [default: local]
    #[arg(long, global = true, value_name = "LEVEL")]
    durable: Option<String>,
    /// How results are written to stdout
    #[arg(long, global = true, value_enum, default_value_t = Format::Text)]
    format: Format,
}

/// How results are written.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
enum Format {
    Text,
    Json,
    /// SARIF 2.1.0, for code hosts and editors; only `check` has findings to write
    Sarif,
    /// Annotations of a GitHub job; only `check` has findings to write
    Github,
    /// JUnit XML, for CI systems (`test`)
    Junit,
    /// A flowchart (`show`)
    Mermaid,
    /// A picture (`show`)
    Svg,
    /// Definitions for editors (`schema`)
    Rhai,
    /// Tables for a merge request (`decide --batch`)
    Markdown,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// Run the service, reloading rules and models as they change
    Serve(serve::Serve),
    /// Every problem in the rules and models
    Check(check::Check),
    /// Run the cases
    Test(test::Test),
    /// One decision, or a file of them; no server, nothing is recorded
    Decide(decide::Decide),
    /// What would be decided if something were otherwise
    WhatIf(what_if::WhatIf),
    /// What a flow does, step by step, as text, JSON or a picture
    Show(show::Show),
    /// What differs in meaning between folders, revisions or markets
    Diff(diff::Diff),
    /// JSON Schemas of facts and documents, definitions for editors
    Schema(schema::Schema),
    /// What a flow takes and gives as protobuf messages, for typed clients
    Proto(proto::Proto),
    /// Fit the next version of a model from models/MODEL/train.yaml
    Train(train::Train),
    /// The models, their versions and cards
    #[command(subcommand)]
    Models(models::Models),
    /// Evaluate recorded decisions again: they must agree
    Replay(replay::Replay),
    /// Search, export and verify what was recorded
    #[command(subcommand)]
    Audit(audit::AuditCommand),
    /// Create, list and revoke API keys
    #[command(subcommand)]
    Keys(keys::Keys),
    /// A starter to edit: a flow with rules and cases, a model with its recipe, the configuration
    Init(init::Init),
    /// Bring the databases to this version's form
    Migrate,
    /// Print the description of the REST API
    Openapi(openapi::Openapi),
}

/// The whole command line. The only place that knows the process's arguments, environment and exit code.
#[must_use]
pub fn main() -> ExitCode {
    let cli = match Cli::try_parse() {
        Ok(cli) => cli,
        Err(error) => {
            // Help and version are answers (0, stdout); anything else could not run (2, stderr).
            let code = if error.use_stderr() { 2 } else { 0 };
            let _nobody_reads = error.print();
            return ExitCode::from(code);
        }
    };
    let say = Say::new(cli.shared.format);
    match run(cli, &say) {
        Ok(code) => code,
        Err(trouble) => {
            say.trouble(&trouble);
            ExitCode::from(2)
        }
    }
}

fn run(cli: Cli, say: &Say) -> Result<ExitCode, Trouble> {
    cli.command.check_format(cli.shared.format)?;
    let flags = cli.shared.flags();
    match cli.command {
        Command::Serve(command) => command.run(flags),
        Command::Check(command) => command.run(flags, say),
        Command::Test(command) => command.run(flags, say),
        Command::Decide(command) => command.run(&settings(&flags)?, say),
        Command::WhatIf(command) => command.run(&settings(&flags)?, say),
        Command::Show(command) => command.run(&settings(&flags)?, say),
        Command::Diff(command) => wait(command.run(&settings(&flags)?, say)),
        Command::Schema(command) => command.run(&settings(&flags)?, say),
        Command::Proto(command) => command.run(&settings(&flags)?, say),
        Command::Train(command) => command.run(&settings(&flags)?, say),
        Command::Models(command) => command.run(&settings(&flags)?, say),
        Command::Replay(command) => wait(command.run(&settings(&flags)?, say)),
        Command::Audit(command) => wait(command.run(&flags, &settings(&flags)?, say)),
        Command::Keys(command) => wait(command.run(&settings(&flags)?, say)),
        Command::Init(command) => command.run(say),
        Command::Migrate => wait(migrate::run(&settings(&flags)?, say)),
        Command::Openapi(command) => command.run(&flags, say),
    }
}

impl Command {
    /// Refuses a format that the command does not write.
    fn check_format(&self, format: Format) -> Result<(), Trouble> {
        let (name, more): (&str, &[Format]) = match self {
            Self::Check(_) => ("check", &[Format::Sarif, Format::Github]),
            Self::Test(_) => ("test", &[Format::Junit]),
            Self::Show(_) => ("show", &[Format::Mermaid, Format::Svg]),
            Self::Schema(_) => ("schema", &[Format::Rhai]),
            Self::Decide(decide) if decide.is_batch() => ("decide --batch", &[Format::Markdown]),
            _ => ("this command", &[]),
        };
        let takes = [Format::Text, Format::Json].iter().chain(more);
        if takes.clone().any(|known| *known == format) {
            return Ok(());
        }
        let word = |format: &Format| format.to_possible_value().map(|v| v.get_name().to_owned());
        let words: Vec<String> = takes.filter_map(word).collect();
        let what = format!("{name} does not write `--format {}`", word(&format).unwrap_or_default());
        Err(Trouble::new(what).help(format!("`--format` is one of `{}`", words.join("`, `"))))
    }
}

impl Shared {
    fn flags(&self) -> Flags {
        Flags {
            config: self.config.clone(),
            rules: self.rules.clone(),
            models: self.models.clone(),
            data: self.data.clone(),
            database_url: self.database_url.clone(),
            durable: self.durable.clone(),
            http: None,
            grpc: None,
            models_only: false,
            model_doors: None,
        }
    }
}

fn settings(flags: &Flags) -> Result<Settings, Trouble> {
    config::gather(flags, &|name| std::env::var(name).ok()).map_err(Trouble::Config)
}

/// Runs a command that waits for the record store.
fn wait<T>(work: impl Future<Output = Result<T, Trouble>>) -> Result<T, Trouble> {
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build();
    runtime.map_err(|error| Trouble::because("cannot start", &error))?.block_on(work)
}

#[cfg(test)]
mod tests {
    use super::*;
    use clap::CommandFactory;

    #[test]
    fn the_commands_and_flags_are_well_formed() {
        Cli::command().debug_assert();
    }

    #[test]
    fn every_command_and_flag_says_what_it_is_for() {
        fn check(command: &clap::Command, path: &str) {
            assert!(command.get_about().is_some(), "{path}");
            for argument in command.get_arguments() {
                assert!(argument.get_help().is_some(), "{path} {}", argument.get_id());
            }
            for inner in command.get_subcommands() {
                check(inner, &format!("{path} {}", inner.get_name()));
            }
        }
        check(&Cli::command(), "tollgate");
    }

    #[test]
    fn flags_of_every_command_may_stand_before_or_after_it() {
        for arguments in [
            ["tollgate", "--data", "d", "keys", "list", "--format", "json"],
            ["tollgate", "keys", "--data", "d", "--format", "json", "list"],
            ["tollgate", "keys", "list", "--format", "json", "--data", "d"],
        ] {
            let cli = Cli::try_parse_from(arguments).unwrap();
            assert_eq!((cli.shared.data.as_deref(), cli.shared.format), (Some("d"), Format::Json));
        }
    }

    #[test]
    fn the_contract_s_spellings_are_understood() {
        for line in [
            "tollgate serve --http 127.0.0.1:0 --grpc 127.0.0.1:0 --data d --rules r --models m --durable memory",
            "tollgate train german_credit",
            "tollgate models list",
            "tollgate models show german_credit",
            "tollgate models import m.json --as m --columns c.yaml --rows r.csv --expected p --tolerance 1e-6",
            "tollgate models promote german_credit 2 --alias challenger",
            "tollgate models reference m@1 --rows r.csv --separator ;",
            "tollgate models verify",
            "tollgate models verify german_credit@2",
            "tollgate models compare german_credit@1 german_credit@2 --data d.csv --label y --bad 1 --cut 0.45",
            "tollgate replay --since 2026-11-22T00:00:00Z --revision sha256:aa",
            "tollgate audit search --flow personal_loan --limit 5",
            "tollgate audit export",
            "tollgate audit explain 01a2035d-7212-7b9d-b83d-b535ca086765 --personal",
            "tollgate audit verify --data d",
            "tollgate audit verify --database-url postgres://db/x",
            "tollgate keys create --role auditor --name eve --flows a --flows b,c",
            "tollgate keys list",
            "tollgate keys revoke --name eve",
            "tollgate migrate",
            "tollgate check /srv --format json",
            "tollgate test personal_loan",
            "tollgate decide personal_loan --facts f.json --market mx",
            "tollgate what-if personal_loan --facts f.json --set max_default_risk=0.40 --without facts.phone",
            "tollgate what-if personal_loan --facts f.json --sweep facts.amount=1..2:1 --html a.html --svg a.svg",
            "tollgate show personal_loan --facts f.json --format svg",
            "tollgate decide personal_loan --facts f.json --explain --picture way.svg",
            "tollgate openapi",
            "tollgate openapi personal_loan --market mx",
            "tollgate proto personal_loan",
            "tollgate proto --write contracts",
        ] {
            if let Err(error) = Cli::try_parse_from(line.split(' ')) {
                panic!("{line}: {error}");
            }
        }
    }
}
