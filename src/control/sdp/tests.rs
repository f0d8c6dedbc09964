//! Offers and answers as tables (RFC 3264).

use super::Direction::{Inactive, RecvOnly, SendOnly, SendRecv};
use super::*;
use crate::control::words::media::{KeyClock, Kind, OpusTerms};

fn local(direction: Direction) -> Local {
    Local { session: 7, direction, ..Local::plain([192, 0, 2, 1], 4_000, vec![Codec::Pcma, Codec::Pcmu]) }
}

fn peer(lines: &str) -> Vec<u8> {
    format!("v=0\r\no=- 1 1 IN IP4 10.0.0.9\r\ns=-\r\nc=IN IP4 10.0.0.9\r\nt=0 0\r\n{lines}").into_bytes()
}

fn text(bytes: &Bytes) -> String {
    String::from_utf8(bytes.to_vec()).unwrap()
}

#[test]
fn our_offer_is_what_we_would_accept() {
    let offer = offer(&local(SendRecv));
    let expected = "v=0\r\no=hotline 7 1 IN IP4 192.0.2.1\r\ns=-\r\nc=IN IP4 192.0.2.1\r\nt=0 0\r\nm=audio 4000 RTP/AVP 8 0 101\r\n\
         a=rtpmap:8 PCMA/8000\r\na=rtpmap:0 PCMU/8000\r\na=rtpmap:101 telephone-event/8000\r\na=fmtp:101 0-15\r\na=ptime:20\r\na=sendrecv\r\na=rtcp-mux\r\n";
    assert_eq!(offer, expected);
    let there = Local { address: "10.0.0.9".parse().unwrap(), port: 5_000, ..local(SendRecv) };
    let (reply, stream) = answer(&there, &offer).unwrap();
    assert_eq!((stream.codec, stream.remote, stream.telephone_event), (Codec::Pcma, Some("192.0.2.1:4000".parse().unwrap()), Some(101)));
    let stream = accept(&local(SendRecv), &reply).unwrap();
    assert_eq!((stream.codec, stream.payload_type, stream.remote), (Codec::Pcma, 8, Some("10.0.0.9:5000".parse().unwrap())));
    assert!(stream.send && stream.receive && stream.ptime_ms == 20);
}

#[test]
fn an_offer_is_answered_in_our_order_and_an_answer_read_in_theirs_and_static_types_need_no_rtpmap() {
    let theirs = peer("m=audio 5000 RTP/AVP 18 0 8\r\n");
    let (reply, stream) = answer(&local(SendRecv), &theirs).unwrap();
    assert_eq!((stream.codec, stream.payload_type, stream.telephone_event), (Codec::Pcma, 8, None));
    assert!(text(&reply).contains("m=audio 4000 RTP/AVP 8\r\na=rtpmap:8 PCMA/8000\r\n"));
    let stream = accept(&local(SendRecv), &theirs).unwrap();
    assert_eq!((stream.codec, stream.payload_type), (Codec::Pcmu, 0));
}

#[test]
fn dynamic_types_are_answered_with_the_offerers_numbers() {
    let offer = peer(
        "m=audio 5000 RTP/AVP 111 97 96\r\na=rtpmap:111 opus/48000/2\r\na=rtpmap:97 pcma/8000/1\r\na=rtpmap:96 telephone-event/8000\r\na=fmtp:96 0-16\r\n",
    );
    let (reply, stream) = answer(&local(SendRecv), &offer).unwrap();
    assert_eq!((stream.codec, stream.payload_type, stream.telephone_event), (Codec::Pcma, 97, Some(96)));
    assert!(text(&reply).contains("m=audio 4000 RTP/AVP 97 96\r\na=rtpmap:97 PCMA/8000\r\na=rtpmap:96 telephone-event/8000\r\n"));
}

fn every(codecs: &[Codec]) -> Local {
    Local { codecs: codecs.to_vec(), ..local(SendRecv) }
}

#[test]
fn s86_every_codec_is_offered_with_its_clock_and_telephone_event_for_each_clock() {
    let offer = text(&offer(&every(&[Codec::Opus, Codec::G722, Codec::L16, Codec::Pcmu])));
    let audio = "m=audio 4000 RTP/AVP 107 9 0 101 102\r\na=rtpmap:107 opus/48000/2\r\na=fmtp:107 useinbandfec=1;usedtx=0\r\n\
        a=rtpmap:9 G722/8000\r\na=rtpmap:0 PCMU/8000\r\na=rtpmap:101 telephone-event/8000\r\na=fmtp:101 0-15\r\n\
        a=rtpmap:102 telephone-event/48000\r\na=fmtp:102 0-15\r\n";
    assert!(offer.contains(audio), "{offer}");
    let here = Local { address: "127.0.0.1".parse().unwrap(), ..every(&[Codec::L16]) };
    assert!(text(&super::offer(&here)).contains("m=audio 4000 RTP/AVP 118 101\r\na=rtpmap:118 L16/8000\r\n"), "on one machine");
}

#[test]
fn s86_opus_is_agreed_with_what_the_peer_says_of_it_and_keys_in_its_clock() {
    let lines = "a=rtpmap:96 opus/48000/2\r\na=fmtp:96 useinbandfec=1; usedtx=1;maxaveragebitrate=16000\r\n";
    let keys = "a=rtpmap:97 telephone-event/8000\r\na=rtpmap:98 telephone-event/48000\r\n";
    let opus = OpusTerms { fec: true, dtx: true, most_bitrate: Some(16_000) };
    for (formats, expected) in [("96 97 98", Some((98, KeyClock::Wide))), ("96 97", Some((97, KeyClock::Narrow))), ("96", None)] {
        let (reply, stream) = answer(&every(&[Codec::Opus]), &peer(&format!("m=audio 5000 RTP/AVP {formats}\r\n{lines}{keys}"))).unwrap();
        assert_eq!((stream.codec, stream.payload_type, stream.terms.opus), (Codec::Opus, 96, opus));
        assert_eq!(stream.telephone_event.map(|number| (number, stream.terms.keys)), expected, "{formats}");
        assert!(text(&reply).contains("a=rtpmap:96 opus/48000/2\r\n"));
    }
    let mono = peer("m=audio 5000 RTP/AVP 96\r\na=rtpmap:96 opus/48000\r\n");
    assert_eq!(answer(&every(&[Codec::Opus]), &mono).unwrap_err().warning, "305 hotline \"no codec in common: opus served here\"");
}

#[test]
fn an_answer_may_name_other_numbers_and_ours_are_understood_too() {
    let reply = peer("m=audio 5000 RTP/AVP 111 97\r\na=rtpmap:111 opus/48000/2\r\na=rtpmap:97 telephone-event/48000\r\n");
    let stream = accept(&every(&[Codec::Opus, Codec::Pcmu]), &reply).unwrap();
    assert_eq!((stream.payload_type, stream.telephone_event), (111, Some(97)));
    let ours: Vec<(u8, Kind)> = stream.terms.ours.into_iter().flatten().collect();
    assert_eq!(ours, [(107, Kind::Sound(Codec::Opus)), (101, Kind::Keys), (102, Kind::Keys)]);
}

#[test]
fn a_number_keeps_its_meaning_in_later_offers() {
    let theirs = peer("m=audio 5000 RTP/AVP 101 107\r\na=rtpmap:101 opus/48000/2\r\na=rtpmap:107 telephone-event/48000\r\n");
    let (answered, _) = answer(&every(&[Codec::Opus]), &theirs).unwrap();
    let again = text(&offer_again(&every(&[Codec::Opus, Codec::Pcmu]), &answered));
    assert!(again.contains("m=audio 4000 RTP/AVP 101 0 96 107\r\na=rtpmap:101 opus/48000/2\r\n"), "{again}");
    assert!(again.contains("a=rtpmap:96 telephone-event/8000\r\n") && again.contains("a=rtpmap:107 telephone-event/48000\r\n"));
}

#[test]
fn comfort_noise_is_agreed_where_it_is_offered_beside_a_codec_of_its_clock() {
    let (reply, stream) = answer(&every(&[Codec::G722]), &peer("m=audio 5000 RTP/AVP 9 13\r\n")).unwrap();
    assert_eq!(stream.terms.comfort_noise, Some(13));
    assert!(text(&reply).contains("m=audio 4000 RTP/AVP 9 13\r\na=rtpmap:9 G722/8000\r\na=rtpmap:13 CN/8000\r\n"));
    let wide = peer("m=audio 5000 RTP/AVP 96 13\r\na=rtpmap:96 opus/48000/2\r\n");
    assert_eq!(answer(&every(&[Codec::Opus]), &wide).unwrap().1.terms.comfort_noise, None);
}

#[test]
fn l16_never_leaves_the_machine() {
    let theirs = peer("m=audio 5000 RTP/AVP 118\r\na=rtpmap:118 L16/8000\r\n");
    assert_eq!(answer(&every(&[Codec::L16]), &theirs).unwrap_err().status, 488);
    let here = Local { address: "127.0.0.1".parse().unwrap(), ..every(&[Codec::L16]) };
    assert_eq!(answer(&here, &theirs).unwrap().1.codec, Codec::L16);
}

#[test]
fn s23_hold_in_all_sixteen_direction_pairs() {
    let all = [SendRecv, SendOnly, RecvOnly, Inactive];
    let table = [
        [SendRecv, RecvOnly, SendOnly, Inactive],
        [SendOnly, Inactive, SendOnly, Inactive],
        [RecvOnly, RecvOnly, Inactive, Inactive],
        [Inactive, Inactive, Inactive, Inactive],
    ];
    for (ours, row) in all.iter().zip(table) {
        for (theirs, expected) in all.iter().zip(row) {
            let offer = peer(&format!("m=audio 5000 RTP/AVP 8\r\na={}\r\n", theirs.token()));
            let (reply, stream) = answer(&local(*ours), &offer).unwrap();
            assert!(text(&reply).ends_with(&format!("a={}\r\n", expected.token())), "{ours:?} {theirs:?}");
            assert_eq!((stream.send, stream.receive), (expected.sends(), expected.receives()));
            let taken = accept(&local(*ours), &offer).unwrap();
            assert_eq!((taken.send, taken.receive), (expected.sends(), expected.receives()));
        }
    }
}

#[test]
fn hold_by_the_address_of_nowhere() {
    for (address, attribute, expected) in
        [("IP4 0.0.0.0", "sendrecv", RecvOnly), ("IP4 0.0.0.0", "recvonly", Inactive), ("IP6 ::", "sendrecv", RecvOnly)]
    {
        let offer = peer(&format!("m=audio 5000 RTP/AVP 8\r\nc=IN {address}\r\na={attribute}\r\n"));
        let (reply, stream) = answer(&local(SendRecv), &offer).unwrap();
        assert!(text(&reply).ends_with(&format!("a={}\r\n", expected.token())), "{address} {attribute}");
        assert_eq!((stream.remote, stream.send), (None, false));
    }
}

#[test]
fn a_direction_of_the_session_counts_unless_the_line_has_its_own() {
    let offer = peer("a=sendonly\r\nm=audio 5000 RTP/AVP 8\r\n");
    assert!(!answer(&local(SendRecv), &offer).unwrap().1.send);
    let offer = peer("a=sendonly\r\nm=audio 5000 RTP/AVP 8\r\na=sendrecv\r\n");
    assert!(answer(&local(SendRecv), &offer).unwrap().1.send);
}

#[test]
fn other_lines_are_rejected_in_their_place() {
    let offer = peer("m=video 6000 RTP/AVP 31 32\r\nm=audio 0 RTP/AVP 8\r\nm=audio 5000 RTP/AVP 8\r\nm=application 9 UDP/BFCP *\r\n");
    let lines: Vec<String> =
        text(&answer(&local(SendRecv), &offer).unwrap().0).lines().filter(|line| line.starts_with("m=")).map(str::to_owned).collect();
    assert_eq!(lines, ["m=video 0 RTP/AVP 31 32", "m=audio 0 RTP/AVP 8", "m=audio 4000 RTP/AVP 8", "m=application 0 UDP/BFCP *"]);
}

#[test]
fn a_later_offer_of_ours_keeps_the_lines_of_the_session_in_their_places() {
    let theirs = peer("m=video 6000 RTP/AVP 31\r\nm=audio 5000 RTP/AVP 8\r\nm=application 9 UDP/BFCP *\r\n");
    let (answered, _) = answer(&local(SendRecv), &theirs).unwrap();
    let again = offer_again(&Local { version: 2, ..local(SendOnly) }, &answered);
    let lines: Vec<String> = text(&again).lines().filter(|line| line.starts_with("m=")).map(str::to_owned).collect();
    assert_eq!(lines, ["m=video 0 RTP/AVP 31", "m=audio 4000 RTP/AVP 8 0 101", "m=application 0 UDP/BFCP *"]);
    assert!(text(&again).contains("a=sendonly\r\n") && text(&again).contains("o=hotline 7 2 "));
    // And once more from that offer; the answer is read at the line that is ours.
    assert_eq!(offer_again(&local(SendRecv), &again), offer_again(&local(SendRecv), &answered));
    let reply = peer("m=video 0 RTP/AVP 31\r\nm=audio 7000 RTP/AVP 0\r\nm=application 0 UDP/BFCP *\r\n");
    let stream = accept_again(&local(SendRecv), &again, &reply).unwrap();
    assert_eq!((stream.codec, stream.remote), (Codec::Pcmu, Some("10.0.0.9:7000".parse().unwrap())));
    let rejected = peer("m=video 0 RTP/AVP 31\r\nm=audio 0 RTP/AVP 0\r\nm=application 0 UDP/BFCP *\r\n");
    assert_eq!(accept_again(&local(SendRecv), &again, &rejected).unwrap_err().status, 488);
    assert_eq!(offer_again(&local(SendRecv), b"no description"), offer(&local(SendRecv)));
}

#[test]
fn the_codec_may_change_in_mid_call_from_either_side() {
    // Each offer is answered by itself: what was agreed before binds nobody (RFC 3264 §8.3.2).
    for (formats, codec, payload_type) in
        [("8 0", Codec::Pcma, 8), ("0", Codec::Pcmu, 0), ("18 8", Codec::Pcma, 8), ("9 0", Codec::Pcmu, 0)]
    {
        let offer = peer(&format!("m=audio 5000 RTP/AVP {formats}\r\n"));
        let (reply, stream) = answer(&local(SendRecv), &offer).unwrap();
        assert_eq!((stream.codec, stream.payload_type), (codec, payload_type), "{formats}");
        assert!(text(&reply).contains(&format!("m=audio 4000 RTP/AVP {payload_type}\r\n")));
        let stream = accept(&local(SendRecv), &offer).unwrap();
        assert_eq!((stream.codec, stream.payload_type), (codec, payload_type), "{formats}");
    }
}

#[test]
fn s62_reports_go_with_the_sound_where_both_can_and_beside_it_where_the_peer_says() {
    use crate::control::words::media::{Reports, ReportsWay, VoipMetrics};
    let apart = |place: &str| ReportsWay::Apart(Some(place.parse().unwrap()));
    for (lines, way, metrics) in [
        ("a=rtcp-mux\r\n", ReportsWay::Muxed, VoipMetrics::Kept),
        ("a=rtcp:5000\r\na=rtcp-mux\r\na=rtcp-xr:rcvr-rtt voip-metrics\r\n", ReportsWay::Muxed, VoipMetrics::Told),
        ("", apart("10.0.0.9:5001"), VoipMetrics::Kept),
        ("a=rtcp:6001\r\n", apart("10.0.0.9:6001"), VoipMetrics::Kept),
        ("a=rtcp:6001 IN IP4 10.0.0.8\r\na=rtcp-xr:voip-metrics\r\n", apart("10.0.0.8:6001"), VoipMetrics::Told),
        ("a=rtcp:0\r\n", ReportsWay::Apart(None), VoipMetrics::Kept),
    ] {
        let offer = peer(&format!("m=audio 5000 RTP/AVP 8\r\n{lines}"));
        let (reply, stream) = answer(&local(SendRecv), &offer).unwrap();
        assert_eq!(stream.reports, Reports { way, metrics }, "{lines}");
        assert_eq!(text(&reply).contains("a=rtcp-mux"), way == ReportsWay::Muxed, "an answer takes up what was offered only");
        assert_eq!(text(&reply).contains("a=rtcp-xr:voip-metrics"), metrics == VoipMetrics::Told);
        assert_eq!(accept(&local(SendRecv), &offer).unwrap().reports.way, way);
    }
}

#[test]
fn ipv6_and_host_names() {
    let offer = b"v=0\r\no=- 1 1 IN IP6 2001:db8::9\r\ns=-\r\nc=IN IP6 2001:db8::9\r\nt=0 0\r\nm=audio 5000 RTP/AVP 8\r\n";
    let here = Local { address: "2001:db8::1".parse().unwrap(), ..local(SendRecv) };
    let (reply, stream) = answer(&here, offer).unwrap();
    assert_eq!(stream.remote, Some("[2001:db8::9]:5000".parse().unwrap()));
    assert!(text(&reply).contains("c=IN IP6 2001:db8::1\r\n"));
    let named = peer("m=audio 5000 RTP/AVP 8\r\nc=IN IP4 phone.example\r\n");
    assert_eq!(answer(&local(SendRecv), &named).unwrap().1.remote, None);
}

#[test]
fn packet_lengths_are_taken_within_reason() {
    for (lines, expected) in [
        ("", 20),
        ("a=ptime:30\r\n", 30),
        ("a=ptime:240\r\n", 20),
        ("a=ptime:15\r\n", 20),
        ("a=maxptime:10\r\n", 10),
        ("a=ptime:x\r\n", 20),
    ] {
        let (_, stream) = answer(&local(SendRecv), &peer(&format!("m=audio 5000 RTP/AVP 8\r\n{lines}"))).unwrap();
        assert_eq!(stream.ptime_ms, expected, "{lines}");
    }
}

#[test]
fn what_cannot_be_taken_is_refused_with_a_warning() {
    let status =
        |offer: &[u8]| answer(&local(SendRecv), offer).map(|_| ()).map_err(|refused| (refused.status, refused.warning[..3].to_owned()));
    let table: [(&[u8], u16, &str); 8] = [
        (&peer(""), 488, "304"),
        (&peer("m=video 6000 RTP/AVP 31\r\n"), 488, "304"),
        (&peer("m=audio 0 RTP/AVP 8\r\n"), 488, "304"),
        (&peer("m=audio 5000 RTP/AVP 18\r\n"), 488, "305"),
        (&peer("m=audio 5000 RTP/AVP 0\r\na=rtpmap:0 G722/8000\r\n"), 488, "305"),
        (&peer("m=audio 5000 RTP/SAVP 8\r\n"), 488, "399"),
        (b"v=0\r\no=- 1 1 IN IP4 h\r\ns=-\r\nt=0 0\r\nm=audio 5000 RTP/AVP 8\r\n", 400, "399"),
        (b"hello", 400, "399"),
    ];
    for (offer, code, warning) in table {
        assert_eq!(status(offer), Err((code, warning.to_owned())), "{}", String::from_utf8_lossy(offer));
    }
    assert_eq!(accept(&local(SendRecv), &peer("m=audio 0 RTP/AVP 8\r\n")).unwrap_err().status, 488);
    assert_eq!(accept(&local(SendRecv), &peer("")).unwrap_err().status, 400);
}

#[test]
fn bare_line_feeds_and_bytes_that_are_no_text_do_not_panic() {
    let offer = String::from_utf8(peer("m=audio 5000 RTP/AVP 8\r\n")).unwrap().replace("\r\n", "\n");
    assert!(answer(&local(SendRecv), offer.as_bytes()).is_ok());
    assert!(answer(&local(SendRecv), b"v=0\r\n\xff\xfe\r\n").is_err());
}

#[test]
fn a_warning_repeats_nothing_that_could_break_a_header() {
    // Found by fuzzing: a control character of the peer's came through the parser's complaint.
    let noisy: [&[u8]; 3] = [b"\x05v=0\x05vI=- 0 1 \x05IN v", b"v=0\r\no=\"\\\r\n", &[b'v', b'=', b'0', 0x1b, b'['].repeat(200)];
    for offer in noisy {
        let warning = answer(&local(SendRecv), offer).unwrap_err().warning;
        let inner = warning.strip_prefix("399 hotline \"").and_then(|rest| rest.strip_suffix('"')).unwrap();
        assert!(!inner.contains(|letter: char| letter.is_control() || matches!(letter, '"' | '\\')), "{warning:?}");
        assert!(warning.len() < 400);
    }
    let transport = peer("m=audio 5000 RTP/\"SAVP\u{7} 8\r\n");
    assert!(!answer(&local(SendRecv), &transport).unwrap_err().warning.contains('\u{7}'));
}

proptest::proptest! {
    #[test]
    fn no_offer_panics(noise in proptest::collection::vec(proptest::prelude::any::<u8>(), 0..60), at in 0usize..120) {
        let mut offer = peer("m=audio 5000 RTP/AVP 8 101\r\na=rtpmap:101 telephone-event/8000\r\n");
        let at = at.min(offer.len());
        offer.splice(at..at, noise);
        let _ = answer(&local(SendRecv), &offer);
        let _ = accept(&local(SendRecv), &offer);
    }
}
