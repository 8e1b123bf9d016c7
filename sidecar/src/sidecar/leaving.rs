//! Taking leave of calls that another process has left.

use std::sync::Arc;

use crate::applications::Applications;
use crate::front::Naming;
use crate::gateway::Switchboard;
use crate::handler::Handlers;
use crate::journal::{Journal, Left, take_leave};
use crate::trace::TraceSink;
use crate::worker::{ToWorker, WorkerHandle};

/// Ends calls whose process is gone: BYE, CANCEL or a refusal to their parties, HANGUP to their handlers, CallEnded to
/// Alexa.
#[derive(Clone)]
pub(super) struct LeaveTaking {
    pub(super) workers: Vec<WorkerHandle>,
    pub(super) naming: Naming,
    pub(super) applications: Arc<Applications>,
    pub(super) handlers: Arc<Handlers>,
    pub(super) switchboard: Option<Arc<Switchboard>>,
    pub(super) trace: TraceSink,
    pub(super) journal: Journal,
    pub(super) runtime: tokio::runtime::Handle,
}

impl LeaveTaking {
    /// Ends what was left. On any thread.
    pub(super) fn take(&self, left: Left) {
        let Some(worker) = self.workers.first().filter(|_| !left.is_empty()) else {
            return;
        };
        tracing::warn!(
            calls = left.calls.len() + left.sessions.len(),
            legs = left.legs(),
            "calls were left by an earlier process, and are ended"
        );
        worker.send(ToWorker::TakeLeave(left.dialogs));
        worker.send(ToWorker::Refuse(left.waiting));
        // The responses lead to the worker that their branch names.
        for invite in left.ringing {
            let branch = invite.branch().unwrap_or_default();
            let named = self.naming.of_branch(&branch);
            if let Some(worker) = named.and_then(|worker| self.workers.get(worker)) {
                worker.send(ToWorker::GiveUp(vec![invite]));
            }
        }
        let _within = self.runtime.enter();
        match &self.switchboard {
            Some(switchboard) => switchboard.take_leave(left.sessions),
            None => {
                for call in left.sessions {
                    tracing::warn!(session = call.session, "there is no gateway any more");
                    self.journal.ended(&call.session);
                }
            }
        }
        self.runtime.spawn(take_leave(
            left.calls,
            Arc::clone(&self.applications),
            Arc::clone(&self.handlers),
            self.trace.clone(),
            self.journal.clone(),
        ));
    }
}
