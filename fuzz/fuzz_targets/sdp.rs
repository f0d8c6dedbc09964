//! Arbitrary bytes as an offer and as an answer: an accepted offer is answered line by line, and the answer can be read.
#![no_main]

use hotline_fuzz::control::sdp::{self, Direction, Local};
use hotline_fuzz::control::words::media::Codec;
use hotline_fuzz::control::words::srtp::{Fingerprint, KeysInSdp, Protection};
use libfuzzer_sys::fuzz_target;

fuzz_target!(|input: &[u8]| {
    let Some((first, text)) = input.split_first() else { return };
    let directions = [Direction::SendRecv, Direction::SendOnly, Direction::RecvOnly, Direction::Inactive];
    let codecs = if first & 4 == 0 { vec![Codec::Pcmu, Codec::Pcma] } else { vec![Codec::Pcma] };
    let direction = directions[usize::from(first & 3)];
    // Keys may be told and a handshake be had, so that those of the offer are read too.
    let protection = Protection { keys: KeysInSdp::Written, fingerprint: Some(Fingerprint([1; 32])), ..Protection::default() };
    let local = Local { direction, protection, ..Local::plain([192, 0, 2, 1], 4_000, codecs) };
    if let Err(refused) = sdp::accept(&local, text) {
        assert!(matches!(refused.status, 400 | 488));
    }
    match sdp::answer(&local, text) {
        Err(refused) => {
            assert!(matches!(refused.status, 400 | 488));
            assert!(!refused.warning.bytes().any(|byte| byte.is_ascii_control()), "{:?}", refused.warning);
        }
        Ok((answer, stream)) => {
            assert!(local.codecs.contains(&stream.codec));
            assert!(!stream.send || direction.sends());
            let again = sdp_types::Session::parse(&answer).expect("our answer can be read");
            let offered = sdp_types::Session::parse(text).expect("an accepted offer can be read");
            assert_eq!(again.medias.len(), offered.medias.len());
            assert_eq!(again.medias.iter().filter(|media| media.port != 0).count(), 1);
        }
    }
});
