//! `tollgate keys create|list|revoke`: who may use the API. A key is shown once, when it is made; stored is its
//! SHA-256. Absent on purpose: any way to see a key again.

use std::process::ExitCode;

use clap::{Subcommand, ValueEnum};
use jiff::Timestamp;
use serde_json::{Value as Json, json};

use super::say::{Say, Trouble, table};
use crate::config::Settings;
use crate::store::{ApiKey, Keys as Ring, Role};

/// Create, list and revoke API keys.
#[derive(Debug, Subcommand)]
pub(super) enum Keys {
    /// Make a key: it is shown once, as {"key": …}
    #[command(after_help = "Examples:
  tollgate keys create --role caller --name shop --flows personal_loan
  KEY=$(tollgate keys create --role auditor --name eve | jq -r .key)")]
    Create {
        /// What the key is for; may be given more than once
        #[arg(long, value_enum, required = true)]
        role: Vec<RoleWord>,
        /// The name that decisions and reads are recorded under
        #[arg(long)]
        name: String,
        /// Only these flows; all if left out
        #[arg(long, value_delimiter = ',')]
        flows: Vec<String>,
    },
    /// All keys, revoked ones too; never the keys themselves
    List,
    /// Revoke a key by its id, or all keys of a name
    Revoke {
        /// Its id, as `keys list` shows it
        #[arg(required_unless_present = "name")]
        id: Option<String>,
        /// All keys of this name
        #[arg(long, conflicts_with = "id")]
        name: Option<String>,
    },
}

/// A role, as it is written.
#[derive(Debug, Clone, Copy, ValueEnum)]
pub(super) enum RoleWord {
    Caller,
    Analyst,
    Auditor,
    Approver,
    Operator,
}

impl RoleWord {
    fn role(self) -> Role {
        match self {
            Self::Caller => Role::Caller,
            Self::Analyst => Role::Analyst,
            Self::Auditor => Role::Auditor,
            Self::Approver => Role::Approver,
            Self::Operator => Role::Operator,
        }
    }
}

impl Keys {
    pub(super) async fn run(self, settings: &Settings, say: &Say) -> Result<ExitCode, Trouble> {
        let url = settings.database_url.as_ref().map(|url| url.expose());
        let ring = Ring::open(&settings.data, url)
            .await
            .map_err(|error| Trouble::because("the keys cannot be opened", &error))?;
        match self {
            Self::Create { role, name, flows } => create(&ring, &role, &name, &flows, say).await,
            Self::List => list(&ring, say).await,
            Self::Revoke { id, name } => revoke(&ring, id, name, say).await,
        }
    }
}

async fn create(
    ring: &Ring,
    roles: &[RoleWord],
    name: &str,
    flows: &[String],
    say: &Say,
) -> Result<ExitCode, Trouble> {
    let fits = (1..=64).contains(&name.len())
        && name.bytes().all(|b| b.is_ascii_alphanumeric() || b"_-.@".contains(&b));
    if !fits {
        return Err(Trouble::new("a key's name has 1 to 64 of: letters, digits, `_`, `-`, `.`, `@`"));
    }
    let roles: Vec<Role> = roles.iter().map(|role| role.role()).collect();
    let limited = (!flows.is_empty()).then_some(flows);
    let (plain, key) = ring
        .create(name, &roles, limited)
        .await
        .map_err(|error| Trouble::because("the key was not made", &error))?;
    // One form for both formats: scripts read it.
    let shown = json!({
        "key": plain, "id": &*key.id, "name": name, "roles": words(&key.roles), "flows": limited,
    });
    say.line(&shown.to_string())?;
    say.talk("this key is not shown again; send it as `Authorization: Bearer KEY`");
    Ok(ExitCode::SUCCESS)
}

async fn list(ring: &Ring, say: &Say) -> Result<ExitCode, Trouble> {
    let keys = ring.list().await.map_err(|error| Trouble::because("the keys cannot be read", &error))?;
    let flows =
        |key: &ApiKey| key.flows.as_ref().map(|f| f.iter().map(ToString::to_string).collect::<Vec<_>>());
    let shown: Vec<Json> = keys
        .iter()
        .map(|key| {
            json!({
                "id": &*key.id, "name": &*key.name, "roles": words(&key.roles), "flows": flows(key),
                "created": time(Some(key.created_us)), "revoked": time(key.revoked_us),
            })
        })
        .collect();
    say.result(&json!({ "keys": shown }), || {
        let rows = keys.iter().map(|key| {
            let flows = flows(key).map_or_else(|| "all".to_owned(), |flows| flows.join(","));
            let state = time(key.revoked_us).map_or_else(|| "valid".to_owned(), |at| format!("revoked {at}"));
            let created = time(Some(key.created_us)).unwrap_or_default();
            [key.id.to_string(), key.name.to_string(), words(&key.roles).join(","), flows, created, state]
        });
        table(["id", "name", "roles", "flows", "created", "state"], rows)
    })?;
    Ok(ExitCode::SUCCESS)
}

async fn revoke(
    ring: &Ring,
    id: Option<String>,
    name: Option<String>,
    say: &Say,
) -> Result<ExitCode, Trouble> {
    let failed = |error| Trouble::because("the key was not revoked", &error);
    let keys = ring.list().await.map_err(failed)?;
    let is_meant = |key: &&ApiKey| {
        key.revoked_us.is_none() && (id.as_deref() == Some(&*key.id) || name.as_deref() == Some(&*key.name))
    };
    let mut revoked = Vec::new();
    for key in keys.iter().filter(is_meant) {
        if ring.revoke(&key.id).await.map_err(failed)? {
            revoked.push(key.id.to_string());
        }
    }
    if revoked.is_empty() {
        say.talk("no valid key has that id or name; `tollgate keys list` shows all");
        return Ok(ExitCode::from(1));
    }
    say.result(&json!({ "revoked": revoked }), || format!("revoked {}", revoked.join(", ")))?;
    Ok(ExitCode::SUCCESS)
}

fn words(roles: &[Role]) -> Vec<&'static str> {
    roles.iter().map(|role| role.word()).collect()
}

fn time(us: Option<i64>) -> Option<String> {
    us.and_then(|us| Timestamp::from_microsecond(us).ok()).map(|at| format!("{at:.0}"))
}
