//! Descriptions as browsers write them (RFC 8829), answered, and offered to them.

use super::*;
use crate::control::words::ice::Ice;
use crate::control::words::srtp::{Far, Fingerprint, Handshake, KeyChance, KeysInSdp, Security, Setup, Srtp};

const SUM: &str = "5A:01:5A:01:5A:01:5A:01:5A:01:5A:01:5A:01:5A:01:5A:01:5A:01:5A:01:5A:01:5A:01:5A:01:5A:01:5A:01";

/// Sound alone, before any candidate is known, as Chromium 156 writes it.
fn chromium(name: &str) -> String {
    format!(
        "v=0\r\no=- 4611731400430051336 2 IN IP4 127.0.0.1\r\ns=-\r\nt=0 0\r\na=group:BUNDLE 0\r\na=extmap-allow-mixed\r\na=msid-semantic: WMS s\r\n\
         m=audio 9 UDP/TLS/RTP/SAVPF 111 63 9 0 8 13 110 126\r\nc=IN IP4 0.0.0.0\r\na=rtcp:9 IN IP4 0.0.0.0\r\na=ice-ufrag:{name}\r\n\
         a=ice-pwd:Wq5KTJ5bTZtGNiXGVPXtQR9c\r\na=ice-options:trickle\r\na=fingerprint:sha-256 {SUM}\r\na=setup:actpass\r\na=mid:0\r\n\
         a=extmap:1 urn:ietf:params:rtp-hdrext:ssrc-audio-level\r\na=sendrecv\r\na=msid:s t\r\na=rtcp-mux\r\na=rtcp-rsize\r\n\
         a=rtpmap:111 opus/48000/2\r\na=rtcp-fb:111 transport-cc\r\na=fmtp:111 minptime=10;useinbandfec=1\r\na=rtpmap:63 red/48000/2\r\n\
         a=fmtp:63 111/111\r\na=rtpmap:9 G722/8000\r\na=rtpmap:0 PCMU/8000\r\na=rtpmap:8 PCMA/8000\r\na=rtpmap:13 CN/8000\r\n\
         a=rtpmap:110 telephone-event/48000\r\na=rtpmap:126 telephone-event/8000\r\na=ssrc:3735928559 cname:c\r\na=ssrc:3735928559 msid:s t\r\n"
    )
}

/// Sound, a picture and data, as Firefox writes it: the fingerprint and the options stand above the lines.
fn firefox() -> String {
    format!(
        "v=0\r\no=mozilla...THIS_IS_SDPARTA-99.0 5003 0 IN IP4 0.0.0.0\r\ns=-\r\nt=0 0\r\na=sendrecv\r\na=fingerprint:sha-256 {SUM}\r\n\
         a=group:BUNDLE 0 1 2\r\na=ice-options:trickle\r\na=msid-semantic:WMS *\r\n\
         m=audio 54609 UDP/TLS/RTP/SAVPF 109 9 0 8 101\r\nc=IN IP4 192.168.1.4\r\n\
         a=candidate:0 1 UDP 2122252543 192.168.1.4 54609 typ host\r\na=candidate:1 1 TCP 2105524479 192.168.1.4 9 typ host tcptype active\r\n\
         a=sendrecv\r\na=end-of-candidates\r\na=extmap:3 urn:ietf:params:rtp-hdrext:sdes:mid\r\na=fmtp:109 maxplaybackrate=48000;stereo=1;useinbandfec=1\r\n\
         a=fmtp:101 0-15\r\na=ice-pwd:dcc61ba9d7a7d4c0a7e0e9d1c3e6ab1f\r\na=ice-ufrag:b1bb3f3e\r\na=mid:0\r\na=msid:- {{7c}}\r\n\
         a=rtcp:56230 IN IP4 192.168.1.4\r\na=rtcp-mux\r\na=rtcp-mux-only\r\na=rtpmap:109 opus/48000/2\r\na=rtpmap:9 G722/8000/1\r\na=rtpmap:0 PCMU/8000\r\n\
         a=rtpmap:8 PCMA/8000\r\na=rtpmap:101 telephone-event/8000/1\r\na=setup:actpass\r\na=ssrc:1 cname:{{c}}\r\n\
         m=video 0 UDP/TLS/RTP/SAVPF 120\r\nc=IN IP4 192.168.1.4\r\na=bundle-only\r\na=sendrecv\r\na=mid:1\r\na=rtpmap:120 VP8/90000\r\n\
         m=application 0 UDP/DTLS/SCTP webrtc-datachannel\r\nc=IN IP4 192.168.1.4\r\na=bundle-only\r\na=sendrecv\r\na=mid:2\r\na=sctp-port:5000\r\n"
    )
}

fn local() -> Local {
    let protection = Protection {
        srtp: Srtp::Offered,
        keys: KeysInSdp::Written,
        chance: KeyChance([3; 32]),
        fingerprint: Some(Fingerprint([1; 32])),
        far: Far::Browser,
    };
    let others = Arc::from([IpAddr::from([10, 0, 0, 5])]);
    Local { session: 7, protection, others, ..Local::plain([192, 0, 2, 1], 4_000, vec![Codec::Opus, Codec::Pcma]) }
}

fn text(bytes: &Bytes) -> String {
    String::from_utf8(bytes.to_vec()).unwrap()
}

fn after(stream: &Stream) -> Local {
    Local { before: Some(stream.clone()), version: 2, ..local() }
}

fn handshake(role: Setup) -> Security {
    Security::Handshake(Handshake { role, theirs: SUM.parse().unwrap() })
}

#[test]
fn s37_an_offer_of_chromium_is_answered_as_a_browser_reads_it() {
    let (answer, stream) = answer(&local(), chromium("dZaM").as_bytes()).unwrap();
    let ice = stream.terms.ice.unwrap();
    let expected = format!(
        "v=0\r\no=hotline 7 1 IN IP4 192.0.2.1\r\ns=-\r\nc=IN IP4 192.0.2.1\r\nt=0 0\r\na=ice-lite\r\na=group:BUNDLE 0\r\n\
         m=audio 4000 UDP/TLS/RTP/SAVPF 111 110\r\na=rtpmap:111 opus/48000/2\r\na=fmtp:111 useinbandfec=1;usedtx=0\r\n\
         a=rtpmap:110 telephone-event/48000\r\na=fmtp:110 0-15\r\na=ptime:20\r\na=sendrecv\r\na=rtcp-mux\r\na=fingerprint:sha-256 {}\r\n\
         a=setup:passive\r\na=mid:0\r\na=msid:hotline sound\r\na=ice-ufrag:{}\r\na=ice-pwd:{}\r\n\
         a=candidate:1 1 udp 2130706431 192.0.2.1 4000 typ host\r\na=candidate:2 1 udp 2130706175 10.0.0.5 4000 typ host\r\na=end-of-candidates\r\n",
        Fingerprint([1; 32]),
        ice.name(),
        ice.password()
    );
    assert_eq!(text(&answer), expected);
    assert_eq!((stream.codec, stream.telephone_event, stream.security.clone()), (Codec::Opus, Some(110), handshake(Setup::Passive)));
    assert!(stream.send && stream.receive && stream.remote.is_none(), "nowhere is no hold: it is known when it asks");
    assert_eq!(stream.reports.way, crate::control::words::media::ReportsWay::Muxed);
}

#[test]
fn s37_pictures_and_data_of_a_firefox_are_refused_and_left_out_of_the_group() {
    let (answer, stream) = answer(&local(), firefox().as_bytes()).unwrap();
    let text = text(&answer);
    let lines: Vec<&str> = text.lines().filter(|line| ["m=", "a=mid", "a=group"].iter().any(|start| line.starts_with(start))).collect();
    assert_eq!(
        lines,
        [
            "a=group:BUNDLE 0",
            "m=audio 4000 UDP/TLS/RTP/SAVPF 109 101",
            "a=mid:0",
            "m=video 0 UDP/TLS/RTP/SAVPF 120",
            "a=mid:1",
            "m=application 0 UDP/DTLS/SCTP webrtc-datachannel",
            "a=mid:2"
        ]
    );
    assert!(stream.terms.ice.is_some() && stream.remote.is_none() && stream.security == handshake(Setup::Passive));
    // Ours within the call keep all that in their places.
    let again = self::text(&offer_again(&after(&stream), &answer));
    let kept: Vec<&str> = again.lines().filter(|line| ["m=", "a=mid", "a=group"].iter().any(|start| line.starts_with(start))).collect();
    assert_eq!((kept[0], kept[2], kept[3..].to_vec()), (lines[0], lines[2], lines[3..].to_vec()), "{again}");
    assert!(again.contains("a=setup:actpass\r\n") && again.contains(stream.terms.ice.unwrap().password()));
}

#[test]
fn s37_a_line_that_lives_on_the_transport_of_another_is_taken() {
    let offer = chromium("dZaM").replace("m=audio 9", "m=audio 0").replace("a=mid:0", "a=bundle-only\r\na=mid:0");
    assert!(text(&answer(&local(), offer.as_bytes()).unwrap().0).contains("m=audio 4000 "));
}

fn names(description: &Bytes) -> Vec<String> {
    text(description).lines().filter(|line| line.starts_with("a=ice-")).map(str::to_owned).collect()
}

#[test]
fn s37_the_same_peer_is_answered_under_the_same_name_and_one_that_begins_anew_under_a_new_one() {
    let (first, stream) = answer(&local(), chromium("dZaM").as_bytes()).unwrap();
    let held = chromium("dZaM").replace("a=sendrecv", "a=sendonly");
    let (second, kept) = answer(&after(&stream), held.as_bytes()).unwrap();
    assert!(names(&first) == names(&second) && kept.terms.ice == stream.terms.ice && !kept.send);
    let (third, fresh) = answer(&after(&stream), chromium("Qx7v").as_bytes()).unwrap();
    let (old, new) = (stream.terms.ice.unwrap(), fresh.terms.ice.unwrap());
    assert!(names(&first) != names(&third) && old.name() != new.name() && old.password() != new.password());
    assert_eq!(names(&offer_again(&after(&fresh), &third)), names(&third), "an offer of ours is no new beginning");
}

#[test]
fn s37_a_browser_is_offered_what_it_takes_and_its_answer_is_agreed() {
    let offer = offer(&local());
    let said = text(&offer);
    assert!(said.contains("a=ice-lite\r\na=group:BUNDLE 0\r\nm=audio 4000 UDP/TLS/RTP/SAVPF "), "{said}");
    assert!(said.contains("a=setup:actpass\r\na=mid:0\r\n") && said.contains("a=rtcp-mux\r\n") && !said.contains("a=crypto"));
    let reply = chromium("dZaM").replace("actpass", "active");
    let stream = accept(&local(), reply.as_bytes()).unwrap();
    let ice: Ice = stream.terms.ice.unwrap();
    assert!(said.contains(&format!("a=ice-ufrag:{}\r\na=ice-pwd:{}\r\n", ice.name(), ice.password())));
    assert_eq!((stream.security.clone(), stream.remote), (handshake(Setup::Passive), None));
    // Its own offer afterwards is answered under the name it knows.
    let (answer, later) = answer(&after(&stream), chromium("dZaM").as_bytes()).unwrap();
    assert!(later.terms.ice == stream.terms.ice && names(&answer) == names(&offer));
}

#[test]
fn s37_a_phone_at_a_websocket_that_is_no_browser_answers_as_a_lite_side_and_is_sent_to_where_it_says() {
    let phone = Local { address: [10, 0, 0, 9].into(), port: 5_000, ..local() };
    let (reply, at_phone) = answer(&phone, &offer(&local())).unwrap();
    assert!(!text(&reply).contains("a=ice-") && at_phone.terms.ice.is_none() && at_phone.remote == Some("192.0.2.1:4000".parse().unwrap()));
    let stream = accept(&local(), &reply).unwrap();
    assert!(stream.terms.ice.is_none() && stream.remote == Some("10.0.0.9:5000".parse().unwrap()));
    assert!(matches!(stream.security, Security::Handshake(_)));
    let again = text(&offer_again(&after(&stream), &offer(&local())));
    assert!(again.contains("a=setup:actpass") && !again.contains("a=ice-"), "it goes on as it was agreed: {again}");
}

#[test]
fn s37_where_srtp_is_off_or_there_is_no_certificate_a_browser_is_refused_and_not_rung() {
    let off = Local { protection: Protection { srtp: Srtp::Off, ..local().protection }, ..local() };
    let bare = Local { protection: Protection { fingerprint: None, ..local().protection }, ..local() };
    for local in [off, bare] {
        assert_eq!(answer(&local, chromium("dZaM").as_bytes()).unwrap_err().status, 488);
        assert!(!text(&offer(&local)).contains("a=ice-"));
    }
}

#[test]
fn s37_a_telephone_is_offered_none_of_it_and_half_a_name_lets_nobody_in() {
    let telephone = Local { protection: Protection { far: Far::Telephone, ..local().protection }, ..local() };
    assert!(!text(&offer(&telephone)).contains("a=ice-lite"));
    for broken in [
        chromium("abc"),
        chromium("dZaM").replace("a=ice-pwd:Wq5KTJ5bTZtGNiXGVPXtQR9c", "a=ice-pwd:short"),
        chromium("dZaM").replace("a=ice-pwd", "a=x"),
    ] {
        let (answer, stream) = answer(&telephone, broken.as_bytes()).unwrap();
        assert!(stream.terms.ice.is_none() && !text(&answer).contains("a=ice-lite"));
    }
}
