//! The configuration that `HandleReloadConfigRequest` brings: which models serve, in which versions, under which
//! labels. Absent on purpose: base paths and platforms, which are read over: models lie in `models/`.

use std::collections::BTreeMap;
use std::sync::Arc;

use crate::domain::value::Name;
use crate::learn::library::VersionPolicy;
use crate::predict::{Configured, PredictError, shown};
use crate::wire::tensorflow::serving as wire;
use crate::wire::tensorflow::serving::file_system_storage_path_source_config as paths;
use crate::wire::tensorflow::serving::model_server_config::Config;

/// The models of a request.
///
/// # Errors
/// What that server refuses too: another kind of configuration, a model without a name or listed twice, a version that
/// no model can have.
pub fn read(request: wire::ReloadConfigRequest) -> Result<BTreeMap<Name, Configured>, PredictError> {
    let list = match request.config.and_then(|config| config.config) {
        Some(Config::ModelConfigList(list)) => list,
        _ => {
            let detail = "ServerModelConfig type not supported by HandleReloadConfigRequest. Only \
                          ModelConfigList is currently supported";
            return Err(PredictError::invalid(detail));
        }
    };
    let mut models = BTreeMap::new();
    for model in list.config {
        if model.name.is_empty() {
            return Err(PredictError::invalid("a model of the configuration has no name"));
        }
        let name: Name = Arc::from(model.name.as_str());
        let policy = policy(&name, model.model_version_policy)?;
        let labels = model
            .version_labels
            .iter()
            .map(|(label, version)| Ok((Arc::from(label.as_str()), number(&name, *version)?)));
        let labels = labels.collect::<Result<BTreeMap<Name, u32>, PredictError>>()?;
        if models.insert(Arc::clone(&name), Configured { policy, labels }).is_some() {
            let name = shown(&name);
            let detail = format!("Illegal to list model {name} multiple times in config list");
            return Err(PredictError::invalid(detail));
        }
    }
    Ok(models)
}

fn policy(model: &str, policy: Option<paths::ServableVersionPolicy>) -> Result<VersionPolicy, PredictError> {
    use paths::servable_version_policy::PolicyChoice;
    Ok(match policy.and_then(|policy| policy.policy_choice) {
        None => VersionPolicy::default(),
        Some(PolicyChoice::Latest(latest)) => VersionPolicy::Latest(latest.num_versions.max(1)),
        Some(PolicyChoice::All(_)) => VersionPolicy::All,
        Some(PolicyChoice::Specific(specific)) => {
            let versions = specific.versions.into_iter().map(|version| number(model, version));
            VersionPolicy::Versions(versions.collect::<Result<_, _>>()?)
        }
    })
}

fn number(model: &str, version: i64) -> Result<u32, PredictError> {
    u32::try_from(version)
        .map_err(|_| PredictError::invalid(format!("model {} cannot have a version {version}", shown(model))))
}
