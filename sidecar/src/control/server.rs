//! The control API at its listener, which may change hands while it serves.

use std::net::TcpListener;
use std::os::fd::OwnedFd;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use axum::Router;
use tokio::sync::oneshot;
use tokio::task::JoinHandle;

/// What is being answered when it stops may take so long; an idle keep-alive connection must not hold the end up.
const LAST_ANSWERS: Duration = Duration::from_secs(1);

/// The control API at a listener, or at none.
pub(crate) struct ControlServer {
    router: Router,
    serving: Mutex<Option<Serving>>,
}

struct Serving {
    listener: TcpListener,
    end: oneshot::Sender<()>,
    task: JoinHandle<()>,
}

impl ControlServer {
    /// These routes, at no listener yet.
    pub(crate) fn new(router: Router) -> Self {
        Self {
            router,
            serving: Mutex::new(None),
        }
    }

    /// The routes.
    pub(crate) fn router(&self) -> Router {
        self.router.clone()
    }

    /// Serves at a listener until [`Self::stop`]. Within a tokio runtime.
    ///
    /// # Errors
    /// The listener cannot be waited for.
    pub(crate) fn serve(&self, listener: TcpListener) -> std::io::Result<()> {
        listener.set_nonblocking(true)?;
        let own = listener.try_clone()?;
        let listener = tokio::net::TcpListener::from_std(listener)?;
        let (end, ended) = oneshot::channel::<()>();
        let router = self.router();
        let task = tokio::spawn(async move {
            let serving = axum::serve(listener, router).with_graceful_shutdown(async {
                // Dropping the sender ends it too.
                let _ = ended.await;
            });
            if let Err(error) = serving.await {
                tracing::error!(%error, "the control API ended");
            }
        });
        *self.now() = Some(Serving {
            listener: own,
            end,
            task,
        });
        Ok(())
    }

    /// Another handle of its listener; none where it does not serve.
    ///
    /// # Errors
    /// The system has no more handles.
    pub(crate) fn duplicate(&self) -> std::io::Result<Option<OwnedFd>> {
        let now = self.now();
        let listener = now.as_ref().map(|serving| serving.listener.try_clone());
        Ok(listener.transpose()?.map(OwnedFd::from))
    }

    /// Takes no more requests, and waits a moment for those that are being answered.
    pub(crate) async fn stop(&self) {
        let serving = self.now().take();
        if let Some(Serving {
            listener,
            end,
            task,
        }) = serving
        {
            drop((listener, end));
            let _ = tokio::time::timeout(LAST_ANSWERS, task).await;
        }
    }

    /// Ends at once.
    pub(crate) fn abort(&self) {
        if let Some(serving) = self.now().take() {
            serving.task.abort();
        }
    }

    fn now(&self) -> MutexGuard<'_, Option<Serving>> {
        self.serving.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
