//! Who must not take over.

use std::io::{Read as _, Write as _};
use std::os::unix::net::UnixListener;

use crate::installation::{Running, does_not_start, handler, installation};
use crate::support::{Behaviour, NUMBER, Phone};
use crate::{ONE, PROMPT};

#[tokio::test(flavor = "multi_thread")]
async fn whoever_must_not_take_over_is_told_why_and_nothing_changes() {
    let one = ONE.lock().await;
    let handler = handler().await;
    let (folder, file) = installation(&handler, None, "");
    let phone = Phone::start(400.0, Behaviour::Answer);
    tokio::task::block_in_place(|| {
        let mut first = Running::start(&file);
        phone.call(first.sip, NUMBER, &[]);
        phone.hears(PROMPT);

        // Another address.
        let text = std::fs::read_to_string(&file).unwrap();
        let other = folder.path().join("other.toml");
        std::fs::write(
            &other,
            text.replace("udp:127.0.0.1:0", "udp:127.0.0.9:5999"),
        )
        .unwrap();
        let told = does_not_start(&other);
        let expected = format!("udp is {} there and udp", first.sip);
        let expected = expected.trim_end_matches(" and udp");
        assert!(
            told.contains(expected) && told.contains("127.0.0.9:5999"),
            "{told}"
        );
        first.runs();
        phone.forget_heard();
        phone.hears(PROMPT);

        // A second one, while the first still has calls.
        let mut next = first.hands_over(&file);
        let told = does_not_start(&file);
        assert!(told.contains("still has calls"), "{told}");
        let pid = first.process.0.id().to_string();
        assert!(told.contains(&pid), "{told}");
        next.runs();
        phone.hang_up();
        phone.wait("the end", |state| state.ended);
        drop(one);
        first.ends_by_itself();
        let mut third = next.hands_over(&file);
        next.ends_by_itself();

        // A socket that a dead process has left.
        third.kill();
        assert!(folder.path().join("handover.sock").exists());
        let mut fourth = Running::start(&file);
        phone.call(fourth.sip, NUMBER, &[]);
        phone.hears(PROMPT);
        fourth.kill();

        // Another program.
        let socket = folder.path().join("handover.sock");
        std::fs::remove_file(&socket).unwrap();
        let listener = UnixListener::bind(&socket).unwrap();
        let serving = std::thread::spawn(move || {
            let (mut stream, _) = listener.accept().unwrap();
            stream
                .write_all(b"HTTP/1.1 400 Bad Request\r\n\r\n")
                .unwrap();
            let _ = stream.read(&mut [0; 64]);
        });
        let told = does_not_start(&file);
        assert!(told.contains("no sidecar of this user"), "{told}");
        serving.join().unwrap();
        assert!(socket.exists(), "it is not taken from it");

        // A file that is no socket.
        std::fs::remove_file(&socket).unwrap();
        std::fs::write(&socket, "precious").unwrap();
        let told = does_not_start(&file);
        assert!(told.contains("handover.sock"), "{told}");
        assert_eq!(std::fs::read(&socket).unwrap(), b"precious");
    });
}
