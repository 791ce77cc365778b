//! Server reflection, v1 and v1alpha: the contracts for everyone; the services of flows, with the names of their
//! inputs, for whoever has a key that may use the flow. Absent on purpose: the protocol itself (tonic-reflection's).

use std::sync::{Arc, LazyLock};

use prost_types::FileDescriptorSet;
use tonic::service::Routes;

use super::admission::DECISIONS;
use super::caller::Caller;
use super::flows::Contracts;
use super::health::service_names;
use crate::bundle::Bundle;
use crate::http::Serving;
use crate::wire::DESCRIPTORS;

/// What everyone may know; made once, for it is the same for all.
static PUBLIC: LazyLock<Option<Routes>> = LazyLock::new(|| routes(Vec::new(), &[]));
/// The same where nothing is decided.
static MODELS: LazyLock<Option<Routes>> = LazyLock::new(|| {
    let contracts = super::door::contracts();
    let served = service_names(&contracts).into_iter().filter(|name| name != DECISIONS);
    routes(Vec::new(), &served.collect::<Vec<_>>())
});

/// The reflection services as this caller may see them. `None` only when our own descriptors cannot be read.
pub fn for_caller(
    caller: &Caller,
    contracts: &Contracts,
    bundle: Option<&Arc<Bundle>>,
    serving: Serving,
) -> Option<Routes> {
    if serving == Serving::ModelsOnly {
        return MODELS.clone();
    }
    let (Ok(asker), Some(bundle)) = (&caller.asker, bundle) else { return PUBLIC.clone() };
    let usable = bundle.flows.iter().filter(|(name, _)| asker.may_use_flow(name));
    let files: Vec<_> = usable
        .filter_map(|(_, revision)| contracts.of(revision).ok())
        .map(|contract| contract.file.clone())
        .collect();
    if files.is_empty() { PUBLIC.clone() } else { routes(files, &[]) }
}

/// With flows' own files; of no other services than these, if any are named.
fn routes(files: Vec<prost_types::FileDescriptorProto>, only: &[String]) -> Option<Routes> {
    let builder = || {
        let all = tonic_reflection::server::Builder::configure()
            .register_encoded_file_descriptor_set(DESCRIPTORS)
            .register_encoded_file_descriptor_set(tonic_health::pb::FILE_DESCRIPTOR_SET)
            .register_file_descriptor_set(FileDescriptorSet { file: files.clone() });
        only.iter().fold(all, tonic_reflection::server::Builder::with_service_name)
    };
    let made =
        builder().build_v1().and_then(|v1| Ok(Routes::new(v1).add_service(builder().build_v1alpha()?)));
    made.map_err(|error| tracing::error!(%error, "server reflection cannot read its descriptors")).ok()
}
