//! Call detail records (facts F11): one line of JSON for each leg that has ended, in files that are rotated.
//!
//! A line is in the file as soon as it is written, and on the disk within a second. Where Amazon's values are not
//! published they are ours: `SchemaVersion`, `UsageType`, `ServiceCode` and `CallLegTriggerType`.

mod files;

use std::path::Path;
use std::time::Duration;

use crossbeam_channel::{Receiver, RecvTimeoutError, Sender};
use serde::Serialize;
use skillcall_protocol::sma::event::Direction;

use crate::config::ApplicationConfig;
use crate::engine::{LegId, LegRecord};
use files::Files;

/// Records that may wait for the disk.
const QUEUE: usize = 16 * 1024;
/// What is written is on the disk within this time.
const SYNC: Duration = Duration::from_secs(1);

/// A record, with Amazon's names (facts F11).
#[derive(Debug, Serialize)]
#[serde(rename_all = "PascalCase")]
pub(crate) struct CallDetail {
    aws_account_id: String,
    transaction_id: String,
    call_id: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    voice_connector_id: Option<String>,
    status: &'static str,
    billable_duration_seconds: u64,
    billable_voice_focus_seconds: u64,
    schema_version: &'static str,
    source_phone_number: String,
    destination_phone_number: String,
    usage_type: &'static str,
    service_code: &'static str,
    direction: Direction,
    time_stamp_epoch_seconds: u64,
    region: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    sip_rule_id: Option<String>,
    sip_application_id: String,
    call_leg_trigger_type: &'static str,
}

/// Whose doing a call is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Cause {
    /// A caller, whom a rule led to an application.
    Rule,
    /// CreateSipMediaApplicationCall.
    Api,
    /// A device or a phone, by CallSignaling. Amazon has no such records: the value is ours.
    Signaling,
}

impl CallDetail {
    /// The record of a leg.
    pub(crate) fn new(
        application: &ApplicationConfig,
        transaction_id: &str,
        cause: Cause,
        leg: &LegRecord,
    ) -> Self {
        let seconds = |millis: u64| millis.div_ceil(1000);
        let bare = |number: &str| number.trim_start_matches('+').to_owned();
        let answered = leg.answered;
        Self {
            aws_account_id: application.aws_account.clone(),
            transaction_id: transaction_id.to_owned(),
            call_id: leg.call_id.to_string(),
            voice_connector_id: leg
                .voice_connector
                .as_deref()
                .map(|arn| arn.rsplit('/').next().unwrap_or(arn).to_owned()),
            status: if answered.is_some() {
                "Completed"
            } else {
                "Failed"
            },
            billable_duration_seconds: answered
                .map_or(0, |answered| seconds(leg.ended.saturating_sub(answered))),
            billable_voice_focus_seconds: seconds(
                u64::try_from(leg.voice_focus.as_millis()).unwrap_or(u64::MAX),
            ),
            schema_version: "2.0",
            source_phone_number: bare(&leg.from),
            destination_phone_number: bare(&leg.to),
            usage_type: match leg.direction {
                Direction::Inbound => "inbound-minutes",
                Direction::Outbound => "outbound-minutes",
            },
            service_code: "skillcall",
            direction: leg.direction,
            time_stamp_epoch_seconds: leg.began / 1000,
            region: application.region.clone(),
            sip_rule_id: (cause == Cause::Rule).then(|| application.rule_id().to_owned()),
            sip_application_id: application.id.clone(),
            call_leg_trigger_type: match (leg.leg == LegId::A, cause) {
                (_, Cause::Signaling) => "CallSignaling",
                (true, Cause::Rule) => "SipRule",
                (true, Cause::Api) => "CreateSipMediaApplicationCall",
                (false, _) if leg.is_meeting => "JoinChimeMeeting",
                (false, _) => "CallAndBridge",
            },
        }
    }
}

enum Job {
    Record(Box<CallDetail>),
    Stop,
}

/// The way to the thread that writes records.
#[derive(Clone)]
pub(crate) struct CallDetails {
    jobs: Sender<Job>,
}

impl CallDetails {
    /// Starts the thread that writes below `folder`.
    ///
    /// # Errors
    /// The folder cannot be made, or the system gives no thread.
    pub(crate) fn start(
        folder: &Path,
        most_file_bytes: u64,
        most_age: Duration,
    ) -> std::io::Result<(Self, std::thread::JoinHandle<()>)> {
        let files = Files::new(folder, most_file_bytes, most_age)?;
        let (jobs, queue) = crossbeam_channel::bounded(QUEUE);
        let thread = std::thread::Builder::new()
            .name("call-details".into())
            .spawn(move || run(&queue, files))?;
        Ok((Self { jobs }, thread))
    }

    /// Takes a record; never waits.
    pub(crate) fn put(&self, record: CallDetail) {
        if self.jobs.try_send(Job::Record(Box::new(record))).is_err() {
            tracing::error!("a call detail record is lost: too many wait for the disk");
        }
    }

    /// Ends the thread, once everything that waits is written.
    pub(crate) fn stop(&self) {
        let _ = self.jobs.send(Job::Stop);
    }
}

fn run(queue: &Receiver<Job>, mut files: Files) {
    loop {
        let job = if files.is_dirty() {
            queue.recv_timeout(SYNC)
        } else {
            queue.recv().map_err(|_| RecvTimeoutError::Disconnected)
        };
        match job {
            Ok(Job::Record(record)) => match serde_json::to_string(&record) {
                Ok(line) => files.write(&line),
                Err(error) => tracing::error!(%error, "a call detail record cannot be written"),
            },
            Err(RecvTimeoutError::Timeout) => files.sync(),
            Ok(Job::Stop) | Err(RecvTimeoutError::Disconnected) => break,
        }
    }
    files.sync();
}

#[cfg(test)]
mod tests {
    use super::*;

    fn leg(number: u64) -> LegRecord {
        LegRecord {
            leg: LegId::A,
            call_id: format!("c{number}").into(),
            from: "+12045550100".into(),
            to: "+16075550199".into(),
            direction: Direction::Inbound,
            voice_connector: None,
            is_meeting: false,
            began: 1_714_558_272_034,
            answered: Some(1_714_558_273_034),
            ended: 1_714_558_283_035,
            code: 0,
            voice_focus: Duration::from_millis(2500),
        }
    }

    #[test]
    fn records_have_the_documented_attributes() {
        let handler = url::Url::parse("http://127.0.0.1/").unwrap();
        let application = ApplicationConfig::new("m", handler);
        let record = CallDetail::new(&application, "t", Cause::Rule, &leg(1));
        assert_eq!(
            serde_json::to_value(&record).unwrap(),
            serde_json::json!({
                "AwsAccountId": "111122223333", "TransactionId": "t", "CallId": "c1", "Status": "Completed",
                "BillableDurationSeconds": 11, "BillableVoiceFocusSeconds": 3, "SchemaVersion": "2.0",
                "SourcePhoneNumber": "12045550100", "DestinationPhoneNumber": "16075550199",
                "UsageType": "inbound-minutes", "ServiceCode": "skillcall", "Direction": "Inbound",
                "TimeStampEpochSeconds": 1_714_558_272, "Region": "us-east-1", "SipRuleId": "m",
                "SipApplicationId": "m", "CallLegTriggerType": "SipRule"
            })
        );
        let bridged = LegRecord {
            leg: LegId::B,
            direction: Direction::Outbound,
            voice_connector: Some("arn:aws:chime:us-east-1:111122223333:vc/abc".into()),
            answered: None,
            ..leg(2)
        };
        let record =
            serde_json::to_value(CallDetail::new(&application, "t", Cause::Rule, &bridged))
                .unwrap();
        assert_eq!(record["VoiceConnectorId"], "abc");
        assert_eq!(
            (&record["Status"], &record["BillableDurationSeconds"]),
            (&"Failed".into(), &0.into())
        );
        assert_eq!(record["CallLegTriggerType"], "CallAndBridge");
    }

    #[test]
    fn files_are_rotated_and_every_line_is_whole() {
        let folder = tempfile::tempdir().unwrap();
        let (records, thread) =
            CallDetails::start(folder.path(), 64 * 1024, Duration::from_secs(3600)).unwrap();
        let application =
            ApplicationConfig::new("m", url::Url::parse("http://127.0.0.1/").unwrap());
        for number in 0..500 {
            records.put(CallDetail::new(&application, "t", Cause::Api, &leg(number)));
        }
        records.stop();
        thread.join().unwrap();
        let mut files: Vec<_> = std::fs::read_dir(folder.path().join("Amazon-Chime-SMADRs"))
            .unwrap()
            .map(|entry| entry.unwrap().path())
            .collect();
        files.sort();
        assert!(files.len() > 2, "{files:?}");
        let text: String = files
            .iter()
            .map(|file| {
                let text = std::fs::read_to_string(file).unwrap();
                assert!(text.len() <= 65 * 1024);
                text
            })
            .collect();
        let calls: Vec<String> = text
            .lines()
            .map(|line| {
                serde_json::from_str::<serde_json::Value>(line).unwrap()["CallId"].to_string()
            })
            .collect();
        let expected: Vec<String> = (0..500).map(|number| format!("\"c{number}\"")).collect();
        assert_eq!(calls, expected);
    }
}
