//! What a file holds, and what is found in it again.

use serde_json::json;
use skillcall_sip::dialog::SavedDialog;
use skillcall_sip::endpoint::{SavedInvite, Transport};

use super::super::line::{DialogText, InviteText};
use super::super::live::PLACES;
use super::*;

fn asked(transaction: &str, sequence: u32) -> Line {
    let details = serde_json::from_value(json!({
        "TransactionId": transaction, "AwsAccountId": "1", "AwsRegion": "r", "SipMediaApplicationId": "m",
        "Participants": [{"CallId": format!("{transaction}-a"), "ParticipantTag": "LEG-A", "To": "+1", "From": "+2",
            "Direction": "Inbound", "StartTimeInMilliseconds": "5", "Status": "Connected"}],
    }))
    .unwrap();
    Line::Asked {
        sequence,
        details: Box::new(details),
    }
}

fn leg(transaction: &str) -> Line {
    let dialog = SavedDialog {
        call_id: b"c".to_vec(),
        local: b"<sip:a@h>;tag=1".to_vec(),
        remote: b"\xe4<sip:b@h>;tag=2".to_vec(),
        target: b"sip:b@h".to_vec(),
        routes: vec![b"<sip:p;lr>".to_vec()],
        cseq: 7,
        transport: Transport::Udp,
        from: "127.0.0.1:5060".parse().unwrap(),
        to: "127.0.0.1:5070".parse().unwrap(),
    };
    Line::Leg {
        transaction: transaction.to_owned(),
        call_id: format!("{transaction}-a"),
        dialog: Box::new(DialogText::of(&dialog)),
    }
}

#[test]
fn what_runs_is_left_and_what_ended_is_not() {
    let folder = tempfile::tempdir().unwrap();
    let (mut journal, left) = JournalFile::open(folder.path(), 0).unwrap();
    assert!(left.calls.is_empty());
    for transaction in ["s", "t"] {
        journal.write(asked(transaction, 1));
        journal.write(leg(transaction));
    }
    journal.write(asked("t", 2));
    journal.write(Line::Ended {
        transaction: "s".to_owned(),
    });
    drop(journal);
    // A line that was cut off.
    let path = folder.path().join(NAME);
    let mut file = OpenOptions::new().append(true).open(&path).unwrap();
    file.write_all(b"{\"what\":\"ended\",\"transa").unwrap();
    drop(file);
    let (mut journal, left) = JournalFile::open(folder.path(), 0).unwrap();
    assert_eq!(left.calls.len(), 1);
    assert_eq!(left.calls[0].sequence, 2);
    assert_eq!(left.dialogs[0].remote, b"\xe4<sip:b@h>;tag=2");
    // It goes on, and what was read is left again until it is ended.
    journal.write(Line::LegEnded {
        transaction: "t".to_owned(),
        call_id: "t-a".to_owned(),
    });
    drop(journal);
    let (_, left) = JournalFile::open(folder.path(), 0).unwrap();
    assert_eq!(left.calls[0].ended, ["t-a"]);
    assert!(left.dialogs.is_empty());
}

#[test]
fn a_session_is_left_with_its_dialog_until_it_ends() {
    let folder = tempfile::tempdir().unwrap();
    let signal = |session: &str, operation: &str, begins| Line::Signal {
        transaction: session.to_owned(),
        account: "amzn1.ask.account.A".to_owned(),
        api_endpoint: None,
        request: Some("r1".to_owned()),
        operation: operation.to_owned(),
        begins,
    };
    let (mut journal, _) = JournalFile::open(folder.path(), 0).unwrap();
    assert!(journal.write(signal("s-1", "InitiateOutboundCall", true)));
    let Line::Ringing {
        transaction,
        call_id,
        invite,
    } = ringing("s-1", "z9hG4bK1")
    else {
        unreachable!()
    };
    let waiting = Line::Waiting {
        transaction,
        call_id: call_id.clone(),
        invite,
        dialog: None,
    };
    journal.write(waiting.clone());
    journal.write(leg("s-1"));
    // Another one is not answered.
    journal.write(signal("s-0", "InitiateInboundCall", true));
    let Line::Waiting { invite, .. } = waiting else {
        unreachable!()
    };
    journal.write(Line::Waiting {
        transaction: "s-0".to_owned(),
        call_id,
        invite,
        dialog: None,
    });
    // Nobody knows this one: there is nothing to end.
    journal.write(signal("s-2", "CallRingingAck", false));
    journal.write(signal("s-3", "InitiateOutboundCall", true));
    journal.write(Line::Ended {
        transaction: "s-3".to_owned(),
    });
    drop(journal);
    // Twice: the file was written anew meanwhile.
    for _ in 0..2 {
        let (_, left) = JournalFile::open(folder.path(), 0).unwrap();
        assert!(left.calls.is_empty());
        assert_eq!(left.sessions.len(), 2);
        assert_eq!(left.waiting.len(), 1);
        assert_eq!(left.dialogs.len(), 1);
        let answered = &left.sessions[1];
        assert_eq!(answered.session, "s-1");
        assert_eq!(answered.account, "amzn1.ask.account.A");
    }
}

fn ringing(transaction: &str, branch: &str) -> Line {
    let invite = SavedInvite {
        request: format!(
            "INVITE sip:b@h SIP/2.0\r\nVia: SIP/2.0/UDP h;branch={branch}\r\nCall-ID: c\r\nCSeq: 1 INVITE\r\n\r\n"
        )
        .into_bytes(),
        transport: Transport::Tcp,
        to: "127.0.0.1:5070".parse().unwrap(),
    };
    Line::Ringing {
        transaction: transaction.to_owned(),
        call_id: format!("{transaction}-a"),
        invite: Box::new(InviteText::of(&invite)),
    }
}

#[test]
fn what_rings_is_left_until_it_is_answered_or_gone() {
    let folder = tempfile::tempdir().unwrap();
    let (mut journal, _) = JournalFile::open(folder.path(), 0).unwrap();
    for transaction in ["answered", "gone", "ringing"] {
        journal.write(asked(transaction, 1));
        for place in 0..PLACES + 2 {
            journal.write(ringing(transaction, &format!("z9hG4bK{place}")));
        }
    }
    journal.write(leg("answered"));
    journal.write(Line::LegEnded {
        transaction: "gone".to_owned(),
        call_id: "gone-a".to_owned(),
    });
    drop(journal);
    // Twice: the file was written anew meanwhile.
    for _ in 0..2 {
        let (_, left) = JournalFile::open(folder.path(), 0).unwrap();
        assert_eq!(left.calls.len(), 3);
        assert_eq!(left.ringing.len(), PLACES);
        let last = left.ringing.last().unwrap();
        assert_eq!(
            last.branch().unwrap(),
            format!("z9hG4bK{}", PLACES + 1).as_bytes()
        );
        assert_eq!(last.transport, Transport::Tcp);
    }
}

#[test]
fn the_file_stays_bounded() {
    let folder = tempfile::tempdir().unwrap();
    let (mut journal, _) = JournalFile::open(folder.path(), 0).unwrap();
    journal.write(asked("stays", 1));
    for number in 0..2000 {
        let transaction = format!("t{number}");
        journal.write(asked(&transaction, 1));
        journal.write(leg(&transaction));
        journal.write(Line::Ended { transaction });
    }
    let size = fs::metadata(folder.path().join(NAME)).unwrap().len();
    assert!(size < SMALLEST + 4096, "{size} bytes");
    drop(journal);
    let (_, left) = JournalFile::open(folder.path(), 0).unwrap();
    assert_eq!(left.calls.len(), 1);
}

#[test]
fn whoever_has_spoken_is_not_named_for_long() {
    let folder = tempfile::tempdir().unwrap();
    let (mut journal, _) = JournalFile::open(folder.path(), 0).unwrap();
    let text = || fs::read_to_string(folder.path().join(NAME)).unwrap();
    for transaction in ["s", "t"] {
        journal.write(asked(transaction, 1));
    }
    journal.write(Line::Ended {
        transaction: "s".to_owned(),
    });
    assert!(text().contains("s-a"));
    let ended = Instant::now() - FORGET;
    journal.ended_since = Some(ended);
    assert_eq!(journal.due(), Some(ended + FORGET));
    journal.tend();
    assert!(!text().contains("s-a") && text().contains("t-a"));
    assert_eq!(journal.due(), None);
    journal.write(Line::Ended {
        transaction: "t".to_owned(),
    });
    journal.close();
    assert_eq!(text(), "");
}

#[test]
fn a_folder_has_one_writer() {
    let folder = tempfile::tempdir().unwrap();
    let _first = JournalFile::open(folder.path(), 0).unwrap();
    assert!(JournalFile::open(folder.path(), 0).is_err());
}

#[test]
fn two_processes_write_beside_each_other_and_the_one_left_takes_all() {
    let folder = tempfile::tempdir().unwrap();
    let open = || JournalFile::open(folder.path(), 0);
    let before = folder.path().join(BEFORE.0);
    let (mut predecessor, _) = open().unwrap();
    predecessor.write(asked("old", 1));
    assert!(open().is_err(), "it writes there");
    predecessor.step_aside().unwrap();
    predecessor.write(leg("old"));
    let (mut successor, left) = open().unwrap();
    assert!(left.calls.is_empty(), "its calls run");
    successor.write(asked("new", 1));
    assert!(
        successor.step_aside().is_err(),
        "the one before still has calls"
    );
    assert!(successor.absorb().is_err(), "it lives");

    // As when it is killed: nothing is written any more.
    drop(predecessor);
    let left = successor.absorb().unwrap();
    let [call] = &left.calls[..] else {
        panic!("{left:?}");
    };
    assert_eq!(call.details.transaction_id.as_str(), "old");
    assert_eq!(left.dialogs.len(), 1);
    assert!(!before.exists());
    drop(successor);
    let (mut last, left) = open().unwrap();
    assert_eq!(left.calls.len(), 2, "both were written down by one");

    // A good end leaves nothing to take over.
    for transaction in ["old", "new"] {
        last.write(Line::Ended {
            transaction: transaction.to_owned(),
        });
    }
    last.step_aside().unwrap();
    let (mut next, _) = open().unwrap();
    last.close();
    assert!(!before.exists());
    assert!(next.absorb().unwrap().calls.is_empty());
}

#[test]
fn the_file_comes_back_when_the_process_that_took_over_dies() {
    let folder = tempfile::tempdir().unwrap();
    let open = || JournalFile::open(folder.path(), 0);
    let (mut predecessor, _) = open().unwrap();
    predecessor.write(asked("old", 1));
    predecessor.step_aside().unwrap();
    let (mut successor, _) = open().unwrap();
    successor.write(asked("new", 1));
    assert!(predecessor.step_back().is_err(), "it lives");
    drop(successor);
    let left = predecessor.step_back().unwrap();
    let [call] = &left.calls[..] else {
        panic!("{left:?}");
    };
    assert_eq!(call.details.transaction_id.as_str(), "new");
    assert!(open().is_err(), "it writes there again");
    drop(predecessor);
    let (_, left) = open().unwrap();
    assert_eq!(left.calls.len(), 2);

    // Both were killed at once: the next start finds what each has left.
    let (mut predecessor, _) = open().unwrap();
    predecessor.step_aside().unwrap();
    let (mut successor, _) = open().unwrap();
    successor.write(asked("newer", 1));
    drop((predecessor, successor));
    let (_, left) = open().unwrap();
    assert_eq!(left.calls.len(), 3);
    assert!(!folder.path().join(BEFORE.0).exists());
}

#[test]
fn who_called_just_now_is_left_though_nobody_was_asked() {
    let folder = tempfile::tempdir().unwrap();
    let (mut journal, _) = JournalFile::open(folder.path(), 0).unwrap();
    let (Line::Ringing { invite, .. }, Line::Leg { dialog, .. }) = (ringing("t", "b"), leg("t"))
    else {
        unreachable!()
    };
    for transaction in ["t", "gone", "answered"] {
        journal.write(Line::Waiting {
            transaction: transaction.to_owned(),
            call_id: format!("{transaction}-a"),
            invite: invite.clone(),
            dialog: Some(dialog.clone()),
        });
    }
    journal.write(Line::LegEnded {
        transaction: "gone".to_owned(),
        call_id: "gone-a".to_owned(),
    });
    journal.write(leg("answered"));
    drop(journal);
    let (_, left) = JournalFile::open(folder.path(), 0).unwrap();
    assert!(left.calls.is_empty() && !left.is_empty());
    let [caller] = &left.waiting[..] else {
        panic!("{left:?}");
    };
    assert_eq!(caller.dialog, dialog.dialog());
    assert_eq!(left.dialogs.len(), 1);
    // There is nobody to tell, so nothing is left of it.
    let (_, left) = JournalFile::open(folder.path(), 0).unwrap();
    assert!(left.is_empty(), "{left:?}");
}
