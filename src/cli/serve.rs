//! `tollgate serve`: the service, until a signal. Absent on purpose: what it is made of (the application's).

use std::process::ExitCode;

use clap::Args;

use super::say::{Say, Trouble};
use super::settings;
use crate::app::{Application, Ended};
use crate::config::Flags;
use crate::telemetry;

/// Run the service.
#[derive(Debug, Args)]
#[command(after_help = "Examples:
  tollgate serve
  tollgate serve --http 127.0.0.1:0 --grpc 127.0.0.1:0 --data /var/lib/tollgate
  tollgate serve --models-only --models models
  TOLLGATE_DATABASE_URL=postgres://… tollgate serve --durable central

Beyond loopback it needs an API key: tollgate keys create --role caller --name NAME")]
pub(super) struct Serve {
    /// Address of the REST API; port 0 picks a free one [env: TOLLGATE_HTTP] [default: 127.0.0.1:8080]
    #[arg(long, value_name = "ADDRESS")]
    http: Option<String>,
    /// Address for gRPC; port 0 picks a free one, `off` for none [env: TOLLGATE_GRPC] [default: 127.0.0.1:8081]
    #[arg(long, value_name = "ADDRESS")]
    grpc: Option<String>,
    /// Serve models only, asked directly: no flow, no record [env: TOLLGATE_MODELS_ONLY]
    #[arg(long)]
    models_only: bool,
    /// Who may ask models directly: keyed (callers' keys) or open (anyone) [env: TOLLGATE_MODEL_DOORS] [default: keyed]
    #[arg(long, value_name = "WHO")]
    model_doors: Option<String>,
}

impl Serve {
    pub(super) fn run(self, flags: Flags) -> Result<ExitCode, Trouble> {
        let settings = settings(&Flags {
            http: self.http,
            grpc: self.grpc,
            models_only: self.models_only,
            model_doors: self.model_doors,
            ..flags
        })?;
        telemetry::start_logs(&settings.log)
            .map_err(|error| Trouble::because("the log cannot start", &error))?;
        let runtime = tokio::runtime::Builder::new_multi_thread()
            .worker_threads(settings.workers)
            .enable_all()
            .build()
            .map_err(|error| Trouble::because("cannot start", &error))?;
        let say = Say::new(super::Format::Text);
        let ended = runtime.block_on(async {
            let application = Application::build(settings)
                .await
                .map_err(|error| Trouble::because("cannot start", &error))?;
            application.stop_on_signals().map_err(|error| Trouble::because("cannot start", &error))?;
            say.talk(&application.ready_line());
            application.run().await.map_err(|error| Trouble::because("stopped", &error))
        })?;
        match ended {
            Ended::Finished => Ok(ExitCode::SUCCESS),
            Ended::AtOnce => {
                // Nothing that still runs is waited for: that is what a second signal asks.
                runtime.shutdown_background();
                Ok(ExitCode::from(2))
            }
        }
    }
}
