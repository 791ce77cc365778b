//! The Open Inference Protocol over gRPC, with the calls that Triton's clients make besides. Absent on purpose: shared
//! memory, traces and log settings, which say that they are not there; and what a model answers (`predict`'s).

mod server;
mod tensors;

use std::sync::Arc;
use std::time::Instant;

use futures_util::StreamExt as _;
use futures_util::stream::BoxStream;
use tokio::sync::watch;
use tonic::{Request, Response, Status, Streaming};

use super::decisions::{AT_A_TIME, last_word};
use super::models::{Use, in_open_inference_words as words, models};
use super::until;
pub use tensors::signed;

use crate::http::Doors;
use crate::predict::{Batch, Models, PredictError, Servable, Which, aside};
use crate::wire::inference as wire;
use crate::wire::inference::grpc_inference_service_server::GrpcInferenceService;

pub struct InferenceDoor {
    pub doors: Arc<Doors>,
    pub stopped: watch::Receiver<bool>,
}

type Answer<T> = Result<Response<T>, Status>;

/// The version that a request names; the highest that answers for none.
fn which(version: &str) -> Result<Which<'_>, PredictError> {
    if version.is_empty() {
        return Ok(Which::Latest);
    }
    version.parse().map(Which::Version).map_err(|_| {
        PredictError::invalid("failed to get model version: the version should be an integral value")
    })
}

fn found(models: &Models, name: &str, version: &str) -> Result<Arc<Servable>, PredictError> {
    models.find(name, which(version)?)
}

/// Answers one request for rows.
async fn infer(
    models: &Models,
    request: wire::ModelInferRequest,
) -> Result<wire::ModelInferResponse, PredictError> {
    let servable = found(models, &request.model_name, &request.model_version)?;
    let id = request.id.clone();
    let (own, size) = (Arc::clone(&servable), tensors::size(&request));
    let (form, answers) = aside(size, move || {
        let started = Instant::now();
        let read = || {
            tensors::check_outputs(&own, &request)?;
            let form = tensors::form_of(&request);
            let batch = Batch::of_tensors(own.model(), tensors::read(request)?)?;
            Ok((form, batch))
        };
        let (form, batch) = read().inspect_err(|_: &PredictError| own.refused(started.elapsed()))?;
        Ok((form, own.predict_here(&batch)?))
    })
    .await?;
    Ok(tensors::answer(&servable, id, form, answers))
}

fn not_here(what: &str, instead: &str) -> Status {
    words(&PredictError::Unimplemented { detail: format!("{what} is not supported; {instead}") })
}

fn no_shared_memory() -> Status {
    not_here("shared memory", "send tensors in the request")
}

#[tonic::async_trait]
impl GrpcInferenceService for InferenceDoor {
    async fn server_live(&self, _: Request<wire::ServerLiveRequest>) -> Answer<wire::ServerLiveResponse> {
        Ok(Response::new(wire::ServerLiveResponse { live: true }))
    }

    async fn server_ready(&self, _: Request<wire::ServerReadyRequest>) -> Answer<wire::ServerReadyResponse> {
        let ready = self.doors.models().is_some() && !self.doors.is_stopping();
        Ok(Response::new(wire::ServerReadyResponse { ready }))
    }

    async fn model_ready(
        &self,
        request: Request<wire::ModelReadyRequest>,
    ) -> Answer<wire::ModelReadyResponse> {
        let models = models(&self.doors, &request, Use::Read)?;
        let asked = request.get_ref();
        let which = which(&asked.version).map_err(|error| words(&error))?;
        let ready = models.find(&asked.name, which).is_ok();
        Ok(Response::new(wire::ModelReadyResponse { ready }))
    }

    async fn server_metadata(
        &self,
        request: Request<wire::ServerMetadataRequest>,
    ) -> Answer<wire::ServerMetadataResponse> {
        models(&self.doors, &request, Use::Read)?;
        Ok(Response::new(server::server()))
    }

    async fn model_metadata(
        &self,
        request: Request<wire::ModelMetadataRequest>,
    ) -> Answer<wire::ModelMetadataResponse> {
        let models = models(&self.doors, &request, Use::Read)?;
        let asked = request.get_ref();
        let servable = found(&models, &asked.name, &asked.version).map_err(|error| words(&error))?;
        Ok(Response::new(server::metadata(&servable, models.table().model(&asked.name))))
    }

    async fn model_infer(
        &self,
        request: Request<wire::ModelInferRequest>,
    ) -> Answer<wire::ModelInferResponse> {
        let models = models(&self.doors, &request, Use::Ask)?;
        infer(&models, request.into_inner()).await.map(Response::new).map_err(|error| words(&error))
    }

    type ModelStreamInferStream = BoxStream<'static, Result<wire::ModelStreamInferResponse, Status>>;

    /// One answer for each request, in their order. A request that gets none is answered with the reason and its id,
    /// and the stream goes on.
    async fn model_stream_infer(
        &self,
        request: Request<Streaming<wire::ModelInferRequest>>,
    ) -> Answer<Self::ModelStreamInferStream> {
        let models = models(&self.doors, &request, Use::Ask)?;
        let messages = request.into_inner().take_until(until(self.stopped.clone()));
        let answers = messages.map(move |message| {
            let models = Arc::clone(&models);
            async move {
                let message = message?;
                let (id, name) = (message.id.clone(), message.model_name.clone());
                // Small ones are answered without a pause: others on this thread get their turn between them.
                tokio::task::consume_budget().await;
                let (error_message, response) = match infer(&models, message).await {
                    Ok(response) => (String::new(), response),
                    Err(error) => {
                        let response =
                            wire::ModelInferResponse { id, model_name: name, ..Default::default() };
                        (error.open_inference(), response)
                    }
                };
                Ok(wire::ModelStreamInferResponse { error_message, infer_response: Some(response) })
            }
        });
        Ok(Response::new(answers.buffered(AT_A_TIME).chain(last_word(self.stopped.clone())).boxed()))
    }

    async fn model_config(
        &self,
        request: Request<wire::ModelConfigRequest>,
    ) -> Answer<wire::ModelConfigResponse> {
        let models = models(&self.doors, &request, Use::Read)?;
        let asked = request.get_ref();
        let servable = found(&models, &asked.name, &asked.version).map_err(|error| words(&error))?;
        let config = server::config(&servable, models.table().model(&asked.name));
        Ok(Response::new(wire::ModelConfigResponse { config: Some(config) }))
    }

    async fn model_statistics(
        &self,
        request: Request<wire::ModelStatisticsRequest>,
    ) -> Answer<wire::ModelStatisticsResponse> {
        let models = models(&self.doors, &request, Use::Read)?;
        let asked = request.get_ref();
        let one = match (asked.name.as_str(), asked.version.as_str()) {
            ("", _) => None,
            (name, version) => {
                let servable = found(&models, name, version).map_err(|error| words(&error))?;
                (!version.is_empty()).then_some(servable)
            }
        };
        let table = models.table();
        let model_stats = match one {
            Some(servable) => vec![server::statistics(&servable)],
            None => {
                let wanted =
                    table.models().iter().filter(|(name, _)| asked.name.is_empty() || ***name == *asked.name);
                let versions = wanted.flat_map(|(_, model)| model.versions.values());
                versions.filter_map(|v| v.servable.as_deref()).map(server::statistics).collect()
            }
        };
        Ok(Response::new(wire::ModelStatisticsResponse { model_stats }))
    }

    async fn repository_index(
        &self,
        request: Request<wire::RepositoryIndexRequest>,
    ) -> Answer<wire::RepositoryIndexResponse> {
        let models = models(&self.doors, &request, Use::Read)?;
        let models = server::index(&models.table(), request.get_ref().ready);
        Ok(Response::new(wire::RepositoryIndexResponse { models }))
    }

    async fn repository_model_load(
        &self,
        request: Request<wire::RepositoryModelLoadRequest>,
    ) -> Answer<wire::RepositoryModelLoadResponse> {
        let models = models(&self.doors, &request, Use::Operate)?;
        let asked = request.get_ref();
        if !asked.parameters.is_empty() {
            let detail =
                "a model is loaded as it lies in `models/`: no configuration or file can be sent with it";
            return Err(words(&PredictError::Unimplemented { detail: detail.to_owned() }));
        }
        models.load(&asked.model_name).await.map_err(|error| words(&error))?;
        Ok(Response::new(wire::RepositoryModelLoadResponse {}))
    }

    async fn repository_model_unload(
        &self,
        request: Request<wire::RepositoryModelUnloadRequest>,
    ) -> Answer<wire::RepositoryModelUnloadResponse> {
        let models = models(&self.doors, &request, Use::Operate)?;
        models.unload(&request.get_ref().model_name).await.map_err(|error| words(&error))?;
        Ok(Response::new(wire::RepositoryModelUnloadResponse {}))
    }

    /// None is ever registered.
    async fn system_shared_memory_status(
        &self,
        request: Request<wire::SystemSharedMemoryStatusRequest>,
    ) -> Answer<wire::SystemSharedMemoryStatusResponse> {
        models(&self.doors, &request, Use::Read)?;
        Ok(Response::new(wire::SystemSharedMemoryStatusResponse::default()))
    }

    async fn system_shared_memory_register(
        &self,
        _: Request<wire::SystemSharedMemoryRegisterRequest>,
    ) -> Answer<wire::SystemSharedMemoryRegisterResponse> {
        Err(no_shared_memory())
    }

    async fn system_shared_memory_unregister(
        &self,
        request: Request<wire::SystemSharedMemoryUnregisterRequest>,
    ) -> Answer<wire::SystemSharedMemoryUnregisterResponse> {
        models(&self.doors, &request, Use::Read)?;
        Ok(Response::new(wire::SystemSharedMemoryUnregisterResponse {}))
    }

    async fn cuda_shared_memory_status(
        &self,
        request: Request<wire::CudaSharedMemoryStatusRequest>,
    ) -> Answer<wire::CudaSharedMemoryStatusResponse> {
        models(&self.doors, &request, Use::Read)?;
        Ok(Response::new(wire::CudaSharedMemoryStatusResponse::default()))
    }

    async fn cuda_shared_memory_register(
        &self,
        _: Request<wire::CudaSharedMemoryRegisterRequest>,
    ) -> Answer<wire::CudaSharedMemoryRegisterResponse> {
        Err(no_shared_memory())
    }

    async fn cuda_shared_memory_unregister(
        &self,
        request: Request<wire::CudaSharedMemoryUnregisterRequest>,
    ) -> Answer<wire::CudaSharedMemoryUnregisterResponse> {
        models(&self.doors, &request, Use::Read)?;
        Ok(Response::new(wire::CudaSharedMemoryUnregisterResponse {}))
    }

    async fn trace_setting(
        &self,
        _: Request<wire::TraceSettingRequest>,
    ) -> Answer<wire::TraceSettingResponse> {
        Err(not_here("the trace extension", "send W3C `traceparent` metadata"))
    }

    async fn log_settings(&self, _: Request<wire::LogSettingsRequest>) -> Answer<wire::LogSettingsResponse> {
        Err(not_here("the logging extension", "set `log.filter` in the configuration"))
    }
}
