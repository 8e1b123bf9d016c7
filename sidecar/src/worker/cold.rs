//! What the cold side does for a worker, and what it tells: handlers, speech, files, recordings, the control API.

use std::sync::Arc;
use std::time::Instant;

use skillcall_protocol::sma::action::SpeechParameters;
use skillcall_protocol::sma::{ErrorType, Event};
use skillcall_sip::message::StatusCode;

use super::call::{CallEntry, CallKey};
use super::view::{CallView, MediaView};
use super::{Running, ToWorker};
use crate::engine::{Failure, Input, LegId, RecordingEnd, RecordingId, SpeechId};
use crate::handler::Question;
use crate::journal::WaitingCaller;
use crate::leg::LegOffers;
use crate::recording::Report;
use crate::speech::{SpeechRequest, ssml};

impl Running {
    pub(super) fn ask(&mut self, key: CallKey, sequence: u32, attempt: u32, event: Arc<Event>) {
        let Some(call) = self.call(key) else { return };
        self.shared.journal.asked(&event);
        if let Some(outcome) = call.application.answering.fixed(&event) {
            self.input(
                key,
                Input::Handler {
                    sequence,
                    attempt,
                    outcome,
                },
            );
            return;
        }
        let question = Question {
            answering: Arc::clone(&call.application.answering),
            event,
            attempt,
            ids: Arc::clone(&call.ids),
            target: Arc::clone(&call.handler),
        };
        let (handlers, worker) = (Arc::clone(&self.shared.handlers), self.handle.clone());
        let task = self.shared.runtime.spawn(async move {
            let outcome = handlers.ask(question).await;
            worker.send(ToWorker::Handler {
                call: key,
                sequence,
                attempt,
                outcome,
            });
        });
        if let Some(call) = self.call_mut(key) {
            call.asking.insert((sequence, attempt), task.abort_handle());
        }
    }

    pub(super) fn render(&mut self, key: CallKey, speech: SpeechId, parameters: &SpeechParameters) {
        let text = match self.prepare_text(key, parameters) {
            Ok(text) => text,
            Err(failure) => return self.input(key, Input::SpeechFailed { speech, failure }),
        };
        let request = SpeechRequest {
            text,
            ssml: parameters.is_ssml(),
            voice: parameters.voice().to_owned(),
            language: parameters.language_code.clone(),
        };
        let (service, worker) = (Arc::clone(&self.shared.speech), self.handle.clone());
        let task = self.shared.runtime.spawn(async move {
            let result = service.prompt(request).await.map_err(|error| {
                Failure::new(error.error_type(), format!("{error}; {}", error.remedy()))
            });
            worker.send(ToWorker::Speech {
                call: key,
                speech,
                result,
            });
        });
        if let Some(call) = self.call_mut(key) {
            call.rendering.insert(speech, task.abort_handle());
        }
    }

    /// The text for the engine: SSML is made fit for it, and what it does not know is told.
    fn prepare_text(&self, key: CallKey, parameters: &SpeechParameters) -> Result<String, Failure> {
        if !parameters.is_ssml() {
            return Ok(parameters.text.clone());
        }
        let prepared = ssml::prepare(&parameters.text)
            .map_err(|error| Failure::new(ErrorType::InvalidActionParameter, error.to_string()))?;
        if let Some(call) = self.call(key) {
            for note in &prepared.notes {
                self.shared
                    .trace
                    .note(&call.ids, false, &format!("SSML: {note}"));
            }
        }
        Ok(prepared.text)
    }

    pub(super) fn take_cold(&mut self) {
        while let Ok(what) = self.queue.try_recv() {
            match what {
                ToWorker::Handler {
                    call,
                    sequence,
                    attempt,
                    outcome,
                } => {
                    if let Some(entry) = self.call_mut(call) {
                        entry.asking.remove(&(sequence, attempt));
                    }
                    self.input(
                        call,
                        Input::Handler {
                            sequence,
                            attempt,
                            outcome,
                        },
                    );
                }
                ToWorker::Speech {
                    call,
                    speech,
                    result,
                } => self.on_speech(call, speech, result),
                ToWorker::File {
                    call,
                    play,
                    leg,
                    times,
                    result,
                } => {
                    // Stopped before it was read.
                    if !self
                        .call_mut(call)
                        .is_some_and(|entry| entry.loading.remove(&play))
                    {
                        continue;
                    }
                    match result {
                        Ok(prompt) => self.start_play(call, play, leg, prompt, times),
                        Err(failure) => self.input(call, Input::PlayFailed { play, failure }),
                    }
                }
                ToWorker::Bot { call, turn, result } => self.on_bot(call, turn, result),
                ToWorker::Recording {
                    call,
                    leg,
                    recording,
                    report,
                } => self.on_recording(call, leg, recording, report),
                ToWorker::CallRecording { call, leg, report } => {
                    self.on_call_recording(call, leg, report)
                }
                ToWorker::Resolved { call, leg, hops } => self.on_resolved(call, leg, hops),
                ToWorker::RegistrarResolved { id, hops } => {
                    self.on_registrar_resolved(Instant::now(), id, hops);
                }
                ToWorker::CheckResolved { trunk, place, hops } => {
                    self.on_check_resolved(Instant::now(), trunk, place, hops);
                }
                ToWorker::NextHop { hop, found } => self.on_next_hop(&hop, found),
                ToWorker::Signal(forward) => self.on_signal(*forward),
                ToWorker::Gateway { call, input } => self.gateway_input(call, input),
                ToWorker::CountUp { reply } => {
                    let stays = self.count_up();
                    let _ = reply.send(stays);
                }
                ToWorker::List { reply } => {
                    let views = self.calls.iter().map(|(_, call)| self.view(call)).collect();
                    // Whoever asked may have gone.
                    let _ = reply.send(views);
                }
                ToWorker::Terminate { id, reply } => {
                    let found = self.find(&id);
                    if let Some(key) = found {
                        self.input(key, Input::Terminate);
                    }
                    let _ = reply.send(found.is_some());
                }
                ToWorker::Update {
                    id,
                    arguments,
                    reply,
                } => {
                    let found = self.find(&id);
                    if let Some(key) = found {
                        self.input(key, Input::UpdateRequested { arguments });
                    }
                    let _ = reply.send(found.is_some());
                }
                ToWorker::Leg {
                    call_id,
                    order,
                    reply,
                } => self.on_order(&call_id, order, reply),
                ToWorker::Capture { id, capture, reply } => {
                    let _ = reply.send(self.capture(&id, capture));
                }
                ToWorker::Create {
                    application,
                    call,
                    reply,
                } => {
                    let made = self.create(&application, *call);
                    let _ = reply.send(made);
                }
                ToWorker::Readdress => self.readdress(Instant::now()),
                ToWorker::TakeLeave(dialogs) => {
                    let now = Instant::now();
                    for dialog in &dialogs {
                        self.endpoint.bye_saved(now, dialog);
                    }
                }
                ToWorker::GiveUp(invites) => {
                    let now = Instant::now();
                    for invite in &invites {
                        if !self.endpoint.cancel_saved(now, invite) {
                            tracing::warn!(to = %invite.to, "a call that was left ringing is not given up");
                        }
                    }
                }
                ToWorker::Refuse(callers) => {
                    let (now, status) = (Instant::now(), StatusCode::SERVER_INTERNAL_ERROR);
                    for WaitingCaller { invite, dialog } in &callers {
                        let dialog = dialog.as_ref();
                        if !self.endpoint.refuse_saved(now, invite, dialog, status) {
                            tracing::warn!(from = %invite.to, "a call that was left is not refused");
                        }
                    }
                }
                ToWorker::HangUpAll => {
                    self.hanging_up = true;
                    let all: Vec<CallKey> = self.keys().collect();
                    for key in all {
                        self.input(key, Input::Shutdown);
                    }
                }
                ToWorker::Stop => self.stopping = true,
                #[cfg(feature = "injected-panics")]
                ToWorker::Panic => panic!("injected"),
            }
        }
        self.settle();
    }

    fn on_speech(
        &mut self,
        key: CallKey,
        speech: SpeechId,
        result: Result<Arc<skillcall_media::prompt::EncodedPrompt>, Failure>,
    ) {
        let Some(call) = self.call_mut(key) else {
            return;
        };
        // Dropped meanwhile.
        if call.rendering.remove(&speech).is_none() {
            return;
        }
        match result {
            Ok(prompt) => {
                call.speeches.insert(speech, prompt);
                self.input(key, Input::SpeechReady { speech });
            }
            Err(failure) => self.input(key, Input::SpeechFailed { speech, failure }),
        }
    }

    fn on_recording(&mut self, key: CallKey, leg: LegId, recording: RecordingId, report: Report) {
        match report {
            Report::Opened => {}
            Report::Failed(failure) => {
                if let Some(media) = self.leg_media(key, leg)
                    && media
                        .recording
                        .as_ref()
                        .is_some_and(|(id, _)| *id == recording)
                {
                    media.recording = None;
                }
                if let Some(call) = self.call_mut(key) {
                    call.recording_ends.remove(&recording);
                }
                self.input(key, Input::RecordingFailed { recording, failure });
            }
            Report::Finished(stored) => {
                let Some(call) = self.call_mut(key) else {
                    return;
                };
                let end = call
                    .recording_ends
                    .remove(&recording)
                    .unwrap_or(RecordingEnd::Stopped);
                let length =
                    std::time::Duration::try_from_secs_f64(stored.seconds).unwrap_or_default();
                self.input(
                    key,
                    Input::RecordingEnded {
                        recording,
                        length,
                        end,
                    },
                );
            }
        }
    }

    fn on_call_recording(&mut self, key: CallKey, leg: LegId, report: Report) {
        match report {
            Report::Opened => self.input(key, Input::CallRecordingStarted { leg }),
            Report::Failed(failure) => {
                if let Some(media) = self.leg_media(key, leg) {
                    media.call_recording = None;
                }
                self.input(key, Input::CallRecordingFailed { leg, failure });
            }
            Report::Finished(_) => {}
        }
    }

    fn keys(&self) -> impl Iterator<Item = CallKey> + '_ {
        self.calls.iter().map(|(slot, call)| CallKey {
            slot,
            serial: call.serial,
        })
    }

    pub(super) fn find(&self, id: &str) -> Option<CallKey> {
        self.keys().find(|key| {
            self.call(*key).is_some_and(|call| {
                call.engine.transaction_id().as_str() == id
                    || call.csi.as_deref() == Some(id)
                    || call.legs.iter().any(|leg| leg.call_id.as_str() == id)
            })
        })
    }

    fn view(&self, call: &CallEntry) -> CallView {
        let media = call
            .legs
            .iter()
            .filter_map(|leg| {
                let media = self.media.get(leg.media?)?;
                let offers = leg.offers.as_ref();
                Some(MediaView {
                    call_id: leg.call_id.to_string(),
                    port: media.port,
                    codec: media.codec_name().to_owned(),
                    srtp: media.srtp_suite(),
                    held: offers.is_some_and(LegOffers::is_held),
                    holding: offers.is_some_and(LegOffers::is_holding),
                    quality: (&media.session.figures()).into(),
                })
            })
            .collect();
        CallView {
            snapshot: call.engine.snapshot(),
            client_session_id: call.csi.as_deref().map(str::to_owned),
            application: call.application.config.id.clone(),
            worker: self.index,
            seconds: Instant::now()
                .saturating_duration_since(call.began)
                .as_secs(),
            media,
        }
    }
}
