//! Each frame there and back, whole and torn.

use proptest::prelude::*;

use super::*;

fn each() -> Vec<Frame> {
    let v4 = SocketAddr::from(([192, 0, 2, 1], 5060));
    let v6 = "[2001:db8::1]:5061".parse().unwrap();
    let listening = |what, named, bound| Listening { what, named, bound };
    vec![
        Frame::Ask(Ask {
            magic: MAGIC.to_owned(),
            version: VERSION,
            pid: u32::MAX,
        }),
        Frame::Hello(Hello {
            magic: MAGIC.to_owned(),
            version: VERSION,
            pid: 1,
            generation: 26,
            listening: vec![
                listening(Use::Udp, Some(v4), Some(v4)),
                listening(Use::Wss, Some(v6), Some(v6)),
                listening(Use::HandOver, None, None),
            ],
        }),
        Frame::Refused("because".into()),
        Frame::Take,
        Frame::Calls(vec![b"a@b".to_vec(), vec![0xff; 300]]),
        Frame::Recent(Vec::new()),
        Frame::ClientSessions(vec![("csi".into(), 3600)]),
        Frame::GatewaySessions(vec!["s-1".into()]),
        Frame::GatewayRequests(vec!["r-1".into()]),
        Frame::Nonces(vec![(-1, "n".into())]),
        Frame::Registrars(vec![AtRegistrar {
            trunk: "carrier".into(),
            by: Use::Tls,
            address: v6,
            route: vec!["<sip:edge;lr>".into()],
        }]),
        Frame::Yours {
            calls: 7,
            control: "/run/skillcall.1".into(),
        },
        Frame::Message(Passed {
            by: Use::Tls,
            remote: v6,
            local: v4,
            connection: Some(u64::MAX >> 1),
            trunk: Some("pbx".into()),
            bytes: b"BYE sip:a SIP/2.0\r\n\r\n".to_vec(),
        }),
        Frame::Send(Posted {
            by: Use::Tcp,
            connection: 16,
            to: v4,
            name: None,
            bytes: vec![7; 65_535],
        }),
        Frame::Keep {
            connection: 17,
            seconds: 60,
        },
        Frame::Release("csi".into()),
        Frame::End,
        Frame::Bye,
    ]
}

fn all(decoder: &mut Decoder) -> Vec<Frame> {
    std::iter::from_fn(|| decoder.poll().unwrap()).collect()
}

#[test]
fn every_frame_comes_as_it_went_however_it_is_cut() {
    let frames = each();
    let bytes: Vec<u8> = frames
        .iter()
        .flat_map(|frame| frame.encode().unwrap())
        .collect();
    for size in [1, 3, 4, 5, 1000, bytes.len()] {
        let mut decoder = Decoder::default();
        let mut came = Vec::new();
        for part in bytes.chunks(size) {
            decoder.push(part);
            came.extend(all(&mut decoder));
        }
        assert_eq!(came, frames, "cut into {size}");
    }
}

#[test]
fn what_no_sidecar_writes_is_refused() {
    let mut decoder = Decoder::default();
    // The first four letters of an HTTP server's answer.
    decoder.push(b"HTTP/1.1 400 Bad Request\r\n");
    assert_eq!(
        decoder.poll(),
        Err(FrameError::TooLong(u32::from_le_bytes(*b"HTTP")))
    );
    for (body, what) in [
        (vec![200], "no such frame"),
        (vec![3, 0], "more than a frame"),
        (vec![], "nothing"),
    ] {
        let mut decoder = Decoder::default();
        decoder.push(&u32::try_from(body.len()).unwrap().to_le_bytes());
        decoder.push(&body);
        let polled = decoder.poll();
        assert!(matches!(polled, Err(FrameError::Unreadable(_))), "{what}");
    }
    let long = Frame::Refused("x".repeat(LONGEST + 1)).encode();
    assert!(matches!(long, Err(FrameError::TooLong(_))));
}

#[test]
fn a_list_takes_as_many_frames_as_it_needs() {
    let list: Vec<String> = (0..PART * 2 + 1).map(|n| n.to_string()).collect();
    let frames = Frame::parts(&list, Frame::GatewaySessions);
    let sizes = frames.iter().map(|frame| match frame {
        Frame::GatewaySessions(part) => part.len(),
        other => panic!("{other:?}"),
    });
    assert_eq!(sizes.collect::<Vec<_>>(), [PART, PART, 1]);
}

proptest! {
    #[test]
    fn garbage_is_told_and_makes_no_panic(parts in prop::collection::vec(prop::collection::vec(any::<u8>(), 0..64), 0..32)) {
        let mut decoder = Decoder::default();
        'all: for part in parts {
            decoder.push(&part);
            loop {
                match decoder.poll() {
                    Ok(Some(_)) => {}
                    Ok(None) => break,
                    Err(_) => break 'all,
                }
            }
        }
    }

    #[test]
    fn a_frame_with_a_wrong_byte_makes_no_panic(which in 0..17_usize, at in any::<prop::sample::Index>(), byte in any::<u8>()) {
        let frames = each();
        let mut bytes = frames[which % frames.len()].encode().unwrap();
        let at = at.index(bytes.len());
        bytes[at] = byte;
        let mut decoder = Decoder::default();
        decoder.push(&bytes);
        while let Ok(Some(_)) = decoder.poll() {}
    }
}
