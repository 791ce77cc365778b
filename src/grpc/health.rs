//! `grpc.health.v1.Health`: what load balancers and orchestrators ask. `SERVING` once rules and records are loaded,
//! `NOT_SERVING` before and from the moment that the service begins to stop; services are known by name, those of flows
//! in force among them. Absent on purpose: reasons; `/readyz` tells them.

use std::collections::BTreeSet;
use std::sync::Arc;
use std::time::Duration;

use futures_util::stream::BoxStream;
use futures_util::{StreamExt as _, stream};
use prost_types::FileDescriptorSet;
use tonic::{Request, Response, Status};
use tonic_health::pb::health_check_response::ServingStatus;
use tonic_health::pb::health_server::Health;
use tonic_health::pb::{HealthCheckRequest, HealthCheckResponse};

use super::admission::DECISIONS;
use crate::http::{Doors, Serving};

/// How often a watched service is looked at.
const LOOK: Duration = Duration::from_millis(100);

#[derive(Clone)]
pub struct HealthDoor {
    pub doors: Arc<Doors>,
    /// Full names of the services that are always there.
    pub services: Arc<BTreeSet<String>>,
}

/// The full names of all services in some descriptors.
pub fn service_names(descriptors: &FileDescriptorSet) -> BTreeSet<String> {
    let of_file = descriptors
        .file
        .iter()
        .flat_map(|file| file.service.iter().map(|service| format!("{}.{}", file.package(), service.name())));
    of_file.collect()
}

impl HealthDoor {
    fn status(&self, service: &str) -> ServingStatus {
        let opened = self.doors.service();
        let serves_models_only = self.doors.settings().serving == Serving::ModelsOnly;
        if opened.is_none() && !(serves_models_only && self.doors.models().is_some()) {
            return ServingStatus::NotServing;
        }
        let is_flow = || {
            let bundle = opened.map(|opened| opened.release.in_force());
            bundle.is_some_and(|bundle| super::flows::flow_of_service(&bundle, service).is_some())
        };
        match service {
            "" => {}
            // Not there where only models are served.
            DECISIONS if serves_models_only => return ServingStatus::ServiceUnknown,
            known if self.services.contains(known) => {}
            _ if is_flow() => {}
            _ => return ServingStatus::ServiceUnknown,
        }
        if self.doors.is_stopping() { ServingStatus::NotServing } else { ServingStatus::Serving }
    }
}

fn response(status: ServingStatus) -> HealthCheckResponse {
    HealthCheckResponse { status: status.into() }
}

#[tonic::async_trait]
impl Health for HealthDoor {
    async fn check(
        &self,
        request: Request<HealthCheckRequest>,
    ) -> Result<Response<HealthCheckResponse>, Status> {
        match self.status(&request.get_ref().service) {
            ServingStatus::ServiceUnknown => Err(Status::not_found("no service of that name")),
            status => Ok(Response::new(response(status))),
        }
    }

    type WatchStream = BoxStream<'static, Result<HealthCheckResponse, Status>>;

    /// Ends once it has said that the service stops: a watcher must not keep it from stopping.
    async fn watch(
        &self,
        request: Request<HealthCheckRequest>,
    ) -> Result<Response<Self::WatchStream>, Status> {
        let service = request.into_inner().service;
        let watching = (self.clone(), service, None::<ServingStatus>, false);
        let changes = stream::unfold(watching, |(door, service, told, is_over)| async move {
            if is_over {
                return None;
            }
            loop {
                let is_stopping = door.doors.is_stopping();
                let now = door.status(&service);
                if told != Some(now) || is_stopping {
                    return Some((Ok(response(now)), (door, service, Some(now), is_stopping)));
                }
                tokio::time::sleep(LOOK).await;
            }
        });
        Ok(Response::new(changes.boxed()))
    }
}
