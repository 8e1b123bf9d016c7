//! Messages of a call that go to another process than its first one.

use crate::ONE;
use crate::api::Api;
use crate::by_hand::{ByHand, SERVER, Way, header};
use crate::installation::{Running, handler, installation};
use crate::support::asterisk::free_port;
use crate::support::authority::Authority;

#[tokio::test(flavor = "multi_thread")]
async fn an_invite_that_is_repeated_across_it_makes_one_call() {
    let one = ONE.lock().await;
    let handler = handler().await;
    let (_folder, file) = installation(&handler, None, "");
    tokio::task::block_in_place(|| {
        let first = Running::start(&file);
        let mut caller = ByHand::new(Way::udp(), first.sip, "repeats");
        let invite = caller.invite();
        caller.send(&invite);
        let answer = caller.hears(200, "INVITE");
        let next = first.hands_over(&file);
        // What was sent before, and not acknowledged, may have come more than once.
        caller.send(&invite);
        let again = caller.hears(200, "INVITE");
        assert_eq!(header(&again, "To"), header(&answer, "To"));
        let ack = caller.request("ACK", 1, header(&answer, "To"), "");
        caller.send(&ack);
        // On hold, and off again, as if nothing had happened.
        for (cseq, direction, answered) in
            [(2, "sendonly", "recvonly"), (3, "sendrecv", "sendrecv")]
        {
            let to = header(&answer, "To");
            let change = caller.request("INVITE", cseq, to, &caller.sdp(direction));
            caller.send(&change);
            let changed = loop {
                let changed = caller.hears(200, "INVITE");
                if header(&changed, "CSeq").starts_with(&cseq.to_string()) {
                    break changed;
                }
            };
            assert!(changed.contains(&format!("a={answered}")), "{changed}");
            let ack = caller.request("ACK", cseq, to, "");
            caller.send(&ack);
        }
        caller.is_spoken_to();
        let bye = caller.request("BYE", 4, header(&answer, "To"), "");
        caller.send(&bye);
        caller.hears(200, "BYE");
        handler.wait("HANGUP", 1);
        assert_eq!(handler.events("NEW_INBOUND_CALL").len(), 1);
        drop(one);
        first.ends_by_itself();
        drop(next);
    });
}

#[tokio::test(flavor = "multi_thread")]
async fn a_connection_stays_and_serves_both_and_a_call_goes_on_over_another_one() {
    serves_both(false).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn so_does_one_of_tls() {
    serves_both(true).await;
}

async fn serves_both(encrypted: bool) {
    let one = ONE.lock().await;
    let handler = handler().await;
    let (transport, settings) = match encrypted {
        true => (
            "tls",
            "[tls]\ncertificate = \"sip.pem\"\nkey-file = \"sip.key\"\n",
        ),
        false => ("tcp", ""),
    };
    let (folder, file) = installation(&handler, None, settings);
    let root = folder.path().join("root.pem");
    let trusted = encrypted.then_some(root.as_path());
    if let Some(root) = trusted {
        let authority = Authority::new();
        authority.write(root);
        authority.issue(folder.path(), "sip", &[SERVER]);
    }
    let at = free_port();
    let text = std::fs::read_to_string(&file).unwrap();
    let text = text.replace("tcp:127.0.0.1:0", &format!("{transport}:{at}"));
    std::fs::write(&file, text).unwrap();
    let (first, next, mut old, answer) = tokio::task::block_in_place(|| {
        let first = Running::start(&file);
        let mut old = ByHand::new(Way::connection(at, trusted), at, "old");
        let invite = old.invite();
        old.send(&invite);
        let answer = old.hears(200, "INVITE");
        let ack = old.request("ACK", 1, header(&answer, "To"), "");
        old.send(&ack);
        let next = first.hands_over(&file);
        (first, next, old, answer)
    });
    let api = Api::new(next.control);
    // What is new is the newer one's, though it comes over the older one's connection.
    let new_answer = tokio::task::block_in_place(|| {
        old.name = "new".to_owned();
        let invite = old.invite();
        old.send(&invite);
        let answer = old.hears(200, "INVITE");
        let ack = old.request("ACK", 1, header(&answer, "To"), "");
        old.send(&ack);
        answer
    });
    assert_eq!(api.calls().await.len(), 1);
    tokio::task::block_in_place(|| {
        let bye = old.request("BYE", 2, header(&new_answer, "To"), "");
        old.send(&bye);
        old.hears(200, "BYE");
        handler.wait("HANGUP", 1);
        // And what is old is the older one's, over whichever connection.
        let mut again = ByHand::new(Way::connection(at, trusted), at, "old");
        again.local = old.local;
        let bye = again.request("BYE", 2, header(&answer, "To"), "");
        again.send(&bye);
        again.hears(200, "BYE");
        handler.wait("HANGUP", 2);
        drop(one);
        first.ends_by_itself();
        // Over the newer one's connection calls go on.
        again.name = "newest".to_owned();
        let invite = again.invite();
        again.send(&invite);
        again.hears(200, "INVITE");
    });
}
