//! A loaded component: one that can be called, from HTTP and in types.

use crate::bindings::exports::skillcall::skill::{call_flow, skill_requests};
use crate::bindings::{Embedded, EmbeddedPre};
use crate::compiled;
use crate::config::ComponentSource;
use crate::engine::{EngineConfig, engine};
use crate::instance::{DeadlinePassed, Instance, MemoryExceeded, Platform};
use crate::outbound::{Outbound, OutboundConfig, TlsError};
use crate::settings::Settings;
use crate::spin_harness::add_spin_to_linker;
use crate::state::State;
use bytes::Bytes;
use http::{Request, Response};
use hyper::body::Body;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;
use tokio::sync::{OwnedSemaphorePermit, Semaphore, oneshot};
use tokio::time::{Instant, sleep_until, timeout};
use wasmtime::Store;
use wasmtime::component::{HasSelf, InstancePre, Linker};
use wasmtime_wasi_http::p2::bindings::ProxyPre;
use wasmtime_wasi_http::p2::bindings::http::types::{ErrorCode, Scheme};
use wasmtime_wasi_http::{Error as HttpError, WasiBody, WasiHttpView};

/// Why a component cannot be loaded.
#[derive(Debug, thiserror::Error)]
pub enum LoadError {
    /// The file cannot be read.
    #[error("the component {path} cannot be read: {source}; `make component` builds it", path = path.display())]
    File {
        /// The file.
        path: PathBuf,
        /// What the system says.
        source: std::io::Error,
    },
    /// The engine cannot be set up on this machine.
    #[error(
        "the WebAssembly engine cannot be set up: {0}; its pool reserves address space: look at `ulimit -v`, or lower the concurrency"
    )]
    Engine(String),
    /// The bytes are no component, or import what this host does not give.
    #[error("the component cannot be used: {0}")]
    Component(String),
    /// Outbound TLS cannot be set up.
    #[error(transparent)]
    Tls(#[from] TlsError),
}

/// Why a call has no answer of the component.
#[derive(Debug, thiserror::Error)]
pub enum ServeError {
    /// Every instance was busy for as long as a request may wait.
    #[error("all instances are busy")]
    Busy,
    /// The component did not answer in time.
    #[error("the deadline has passed")]
    Deadline,
    /// The component trapped; the text says how.
    #[error("the component failed: {0}")]
    Trap(String),
    /// The component returned without an answer.
    #[error("the component set no response")]
    NoReply,
    /// The component answered with an error of `wasi:http` in place of a response.
    #[error("the component gave an error in place of a response: {0:?}")]
    Refused(ErrorCode),
    /// The component does not export this interface.
    #[error("the component exports no {0}")]
    NoExport(&'static str),
    /// The request cannot be handed to a component.
    #[error("the request cannot be handed to the component: {0}")]
    BadRequest(String),
}

/// A loaded component. Cheap to clone; the clones share one pool of instances.
#[derive(Clone)]
pub struct Skill(Arc<Loaded>);

struct Loaded {
    instances: InstancePre<Instance>,
    http: Option<ProxyPre<Instance>>,
    typed: Option<EmbeddedPre<Instance>>,
    platform: Platform,
    outbound: Outbound,
    config: EngineConfig,
    free: Arc<Semaphore>,
}

impl Skill {
    /// Compiles the component (a second or two, unless [`EngineConfig::code_cache`] has its code; call it on a blocking
    /// thread where that matters) and links it to `state` and `settings`.
    ///
    /// # Errors
    /// See [`LoadError`].
    pub fn load(
        component: impl Into<ComponentSource>,
        config: EngineConfig,
        state: Arc<dyn State>,
        settings: Arc<dyn Settings>,
        outbound: &OutboundConfig,
    ) -> Result<Self, LoadError> {
        let platform = Platform::Skillcall { state, settings };
        let outbound = Outbound::new(outbound)?;
        Self::on_platform(&component.into(), config, platform, outbound)
    }

    pub(crate) fn on_platform(
        component: &ComponentSource,
        config: EngineConfig,
        platform: Platform,
        outbound: Outbound,
    ) -> Result<Self, LoadError> {
        let bytes = read(component)?;
        let engine = engine(&config).map_err(|error| LoadError::Engine(format!("{error:#}")))?;
        let unusable = |error: wasmtime::Error| LoadError::Component(format!("{error:#}"));
        let (component, origin) =
            compiled::component(&engine, &bytes, config.code_cache.as_deref()).map_err(unusable)?;
        tracing::debug!("the component's code: {origin:?}");
        let linker = linker(&engine, &platform).map_err(unusable)?;
        let instances = linker.instantiate_pre(&component).map_err(unusable)?;
        Ok(Self(Arc::new(Loaded {
            http: ProxyPre::new(instances.clone()).ok(),
            typed: EmbeddedPre::new(instances.clone()).ok(),
            instances,
            platform,
            outbound,
            free: Arc::new(Semaphore::new(config.concurrency.max(1) as usize)),
            config,
        })))
    }

    /// The same component for another installation: its code is compiled once and its pool of instances is shared,
    /// state, settings and outbound connections are its own. Each of them may run as many instances as
    /// [`EngineConfig::concurrency`] says, and all together no more than the pool holds, which is as many.
    ///
    /// # Errors
    /// When outbound TLS cannot be set up.
    pub fn with(
        &self,
        state: Arc<dyn State>,
        settings: Arc<dyn Settings>,
        outbound: &OutboundConfig,
    ) -> Result<Self, TlsError> {
        Ok(Self(Arc::new(Loaded {
            instances: self.0.instances.clone(),
            http: self.0.http.clone(),
            typed: self.0.typed.clone(),
            platform: Platform::Skillcall { state, settings },
            outbound: Outbound::new(outbound)?,
            free: Arc::new(Semaphore::new(self.0.config.concurrency.max(1) as usize)),
            config: self.0.config.clone(),
        })))
    }

    /// Whether the component exports `wasi:http/incoming-handler`.
    #[must_use]
    pub fn serves_http(&self) -> bool {
        self.0.http.is_some()
    }

    /// How many instances run now, those that work on after their reply included.
    #[must_use]
    pub fn running(&self) -> usize {
        let all = self.0.config.concurrency.max(1) as usize;
        all.saturating_sub(self.0.free.available_permits())
    }

    /// Waits until no instance runs, for at most `limit`, and says whether that came true.
    pub async fn idle(&self, limit: Duration) -> bool {
        let all = self.0.config.concurrency.max(1);
        let idle = timeout(limit, self.0.free.acquire_many(all)).await;
        idle.is_ok()
    }

    /// Hands an HTTP request to a fresh instance and returns its response as soon as that begins. The
    /// instance works on by itself until it returns, at most [`EngineConfig::after_reply`] longer,
    /// also when the caller has gone.
    ///
    /// # Errors
    /// See [`ServeError`].
    pub async fn serve<B>(&self, request: Request<B>) -> Result<Response<WasiBody>, ServeError>
    where
        B: Body<Data = Bytes> + Send + 'static,
        B::Error: Into<HttpError>,
    {
        let http = self.0.http.clone();
        let http = http.ok_or(ServeError::NoExport("wasi:http/incoming-handler"))?;
        let permit = self.permit().await?;
        let mut store = self.store();
        let deadline = Arc::clone(&store.data().deadline);
        let after_reply = self.0.config.after_reply;
        let (sender, response) = oneshot::channel();
        let bad = |error: wasmtime::Error| ServeError::BadRequest(format!("{error:#}"));
        let mut view = store.data_mut().http();
        let request = view
            .new_incoming_request(Scheme::Http, request)
            .map_err(bad)?;
        let reply = Arc::clone(&deadline);
        let out = view
            .new_response_outparam_from_callback(move |response| {
                reply.move_to(Instant::now() + after_reply);
                // The client may have gone.
                let _gone = sender.send(response);
            })
            .map_err(bad)?;
        let running = tokio::spawn(async move {
            let run = async {
                let proxy = http.instantiate_async(&mut store).await?;
                let handler = proxy.wasi_http_incoming_handler();
                handler.call_handle(&mut store, request, out).await
            };
            let ended = until(&deadline, run).await;
            // The store holds the sender: it goes before the outcome is told.
            drop(store);
            drop(permit);
            if let Err(error) = &ended {
                tracing::error!("{error}");
            }
            ended
        });
        match response.await {
            Ok(Ok(response)) => Ok(response),
            Ok(Err(code)) => Err(ServeError::Refused(code)),
            Err(_) => Err(match running.await {
                Ok(Ok(())) => ServeError::NoReply,
                Ok(Err(error)) => error,
                Err(error) => ServeError::Trap(error.to_string()),
            }),
        }
    }

    /// `skill-requests.handle`: a request of Alexa as it came over HTTPS, which the component verifies.
    ///
    /// # Errors
    /// See [`ServeError`].
    pub async fn handle(
        &self,
        headers: &[skill_requests::Header],
        body: &[u8],
    ) -> Result<skill_requests::Reply, ServeError> {
        let body = body.to_vec();
        self.typed(async |skill, store| {
            let requests = skill.skillcall_skill_skill_requests();
            requests.call_handle(store, headers, &body).await
        })
        .await
    }

    /// `skill-requests.handle-trusted`: a request whose sender the caller has authenticated itself.
    ///
    /// # Errors
    /// See [`ServeError`].
    pub async fn handle_trusted(&self, body: &[u8]) -> Result<skill_requests::Reply, ServeError> {
        let body = body.to_vec();
        self.typed(async |skill, store| {
            let requests = skill.skillcall_skill_skill_requests();
            requests.call_handle_trusted(store, &body).await
        })
        .await
    }

    /// `call-flow.decide`: an event of a call in, the actions out. When the component traps or takes too long, it is asked
    /// once more: what a plug-in did not answer is then decided by the call plan.
    ///
    /// # Errors
    /// See [`ServeError`]; the inner error is the component's own.
    pub async fn decide(
        &self,
        event: &call_flow::Event,
    ) -> Result<Result<call_flow::Reply, call_flow::FlowError>, ServeError> {
        match self.decide_once(event).await {
            Err(ServeError::Trap(_) | ServeError::Deadline) => self.decide_once(event).await,
            decided => decided,
        }
    }

    async fn decide_once(
        &self,
        event: &call_flow::Event,
    ) -> Result<Result<call_flow::Reply, call_flow::FlowError>, ServeError> {
        self.typed(async |skill, store| {
            let flow = skill.skillcall_skill_call_flow();
            flow.call_decide(store, event).await
        })
        .await
    }

    async fn typed<T>(
        &self,
        call: impl AsyncFnOnce(&Embedded, &mut Store<Instance>) -> wasmtime::Result<T>,
    ) -> Result<T, ServeError> {
        let typed = self.0.typed.as_ref();
        let typed = typed.ok_or(ServeError::NoExport("skillcall:skill interfaces"))?;
        let _permit = self.permit().await?;
        let mut store = self.store();
        let deadline = Arc::clone(&store.data().deadline);
        let run = async {
            let skill = typed.instantiate_async(&mut store).await?;
            call(&skill, &mut store).await
        };
        let answer = until(&deadline, run).await;
        if let Err(error) = &answer {
            tracing::error!("{error}");
        }
        answer
    }

    async fn permit(&self) -> Result<OwnedSemaphorePermit, ServeError> {
        let free = Arc::clone(&self.0.free);
        match timeout(self.0.config.queue_wait, free.acquire_owned()).await {
            Ok(Ok(permit)) => Ok(permit),
            _ => Err(ServeError::Busy),
        }
    }

    fn store(&self) -> Store<Instance> {
        let loaded = &self.0;
        let instance = Instance::new(
            loaded.platform.clone(),
            loaded.outbound.clone(),
            loaded.config.memory,
            loaded.config.deadline,
        );
        let mut store = Store::new(loaded.instances.engine(), instance);
        store.limiter(Instance::limiter);
        store.set_epoch_deadline(1);
        store.epoch_deadline_callback(|store| store.data().tick());
        store
    }
}

/// Runs `call` until it ends or its deadline, which may move meanwhile, has passed.
async fn until<T>(
    deadline: &crate::instance::Deadline,
    call: impl Future<Output = wasmtime::Result<T>>,
) -> Result<T, ServeError> {
    let mut call = std::pin::pin!(call);
    loop {
        tokio::select! {
            ended = &mut call => return ended.map_err(|error| failure(&error)),
            () = sleep_until(deadline.at()) => {
                if deadline.is_past() {
                    return Err(ServeError::Deadline);
                }
            }
        }
    }
}

fn failure(error: &wasmtime::Error) -> ServeError {
    if error.is::<DeadlinePassed>() {
        return ServeError::Deadline;
    }
    if let Some(error) = error.downcast_ref::<MemoryExceeded>() {
        return ServeError::Trap(error.to_string());
    }
    ServeError::Trap(format!("{error:#}"))
}

fn read(component: &ComponentSource) -> Result<Arc<[u8]>, LoadError> {
    match component {
        ComponentSource::Bytes(bytes) => Ok(Arc::clone(bytes)),
        ComponentSource::File(path) => match std::fs::read(path) {
            Ok(bytes) => Ok(bytes.into()),
            Err(source) => Err(LoadError::File {
                path: path.clone(),
                source,
            }),
        },
    }
}

fn linker(engine: &wasmtime::Engine, platform: &Platform) -> wasmtime::Result<Linker<Instance>> {
    let mut linker = Linker::new(engine);
    wasmtime_wasi::p2::add_to_linker_async(&mut linker)?;
    wasmtime_wasi_http::p2::add_only_http_to_linker_async(&mut linker)?;
    match platform {
        Platform::Skillcall { .. } => {
            Embedded::add_to_linker::<_, HasSelf<_>>(&mut linker, |instance| instance)?;
        }
        Platform::Spin(_) => add_spin_to_linker(&mut linker)?,
    }
    Ok(linker)
}
