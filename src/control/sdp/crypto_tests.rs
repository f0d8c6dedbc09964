//! Keys in offers and answers as tables (RFC 4568).

use super::*;
use crate::control::words::srtp::{Fingerprint, Handshake, KeyChance, KeysInSdp, Security, Setup, Srtp, Suite};

fn local(srtp: Srtp, keys: KeysInSdp) -> Local {
    let protection = Protection { srtp, keys, chance: KeyChance([3; 32]), ..Protection::default() };
    Local { session: 7, protection, ..Local::plain([192, 0, 2, 1], 4_000, vec![Codec::Pcma]) }
}

/// Another one with chance of his own.
fn peer(srtp: Srtp) -> Local {
    let mut peer = Local { address: "10.0.0.9".parse().unwrap(), port: 5_000, ..local(srtp, KeysInSdp::Written) };
    peer.protection.chance = KeyChance([4; 32]);
    peer
}

fn offer_of(line: &str) -> Vec<u8> {
    format!("v=0\r\no=- 1 1 IN IP4 10.0.0.9\r\ns=-\r\nc=IN IP4 10.0.0.9\r\nt=0 0\r\n{line}\r\n").into_bytes()
}

fn inline(bytes: usize) -> String {
    use base64::Engine;
    base64::engine::general_purpose::STANDARD.encode(vec![9; bytes])
}

fn lines(description: &[u8]) -> Vec<String> {
    let text = String::from_utf8(description.to_vec()).unwrap();
    text.lines().filter(|line| line.starts_with("a=crypto:")).map(str::to_owned).collect()
}

#[test]
fn s80_both_sides_come_to_the_same_keys() {
    for (ours, theirs, profile) in
        [(Srtp::Offered, Srtp::Offered, "RTP/AVP"), (Srtp::Required, Srtp::Offered, "RTP/SAVP"), (Srtp::Offered, Srtp::Required, "RTP/AVP")]
    {
        let here = local(ours, KeysInSdp::Written);
        let offer = offer(&here);
        assert!(std::str::from_utf8(&offer).unwrap().contains(&format!("m=audio 4000 {profile} ")));
        assert_eq!(lines(&offer).len(), Suite::ALL.len());
        let (reply, there) = answer(&peer(theirs), &offer).unwrap();
        assert!(lines(&reply)[0].starts_with("a=crypto:1 AEAD_AES_128_GCM inline:"), "the offerer's first: {:?}", lines(&reply));
        let here = accept(&here, &reply).unwrap();
        let (Security::Keys(here), Security::Keys(there)) = (here.security, there.security) else { panic!("in clear") };
        assert_eq!((&here.ours, &here.theirs, here.suite), (&there.theirs, &there.ours, there.suite));
    }
}

#[test]
fn s80_the_tag_and_the_name_are_the_offerers() {
    for (name, suite, bytes) in [
        ("AES_CM_128_HMAC_SHA1_80", Suite::Aes128Sha80, 30),
        ("AES_CM_128_HMAC_SHA1_32", Suite::Aes128Sha32, 30),
        ("AES_256_CM_HMAC_SHA1_80", Suite::Aes256Sha80, 46),
        ("AES_CM_256_HMAC_SHA1_80", Suite::Aes256Sha80, 46),
        ("AEAD_AES_128_GCM", Suite::Aes128Gcm, 28),
        ("AEAD_AES_256_GCM", Suite::Aes256Gcm, 44),
    ] {
        let key = inline(bytes);
        let offer = offer_of(&format!(
            "m=audio 5000 RTP/SAVP 8\r\na=crypto:3 F8_128_HMAC_SHA1_80 inline:x\r\na=crypto:42 {name} inline:{key}|2^31"
        ));
        let (reply, stream) = answer(&local(Srtp::Offered, KeysInSdp::Written), &offer).unwrap();
        assert!(lines(&reply)[0].starts_with(&format!("a=crypto:42 {name} inline:")), "{:?}", lines(&reply));
        assert_eq!(lines(&reply).len(), 1);
        assert_eq!(stream.security.suite(), Some(suite));
        assert!(std::str::from_utf8(&reply).unwrap().contains("m=audio 4000 RTP/SAVP 8\r\n"));
    }
}

#[test]
fn s80_lines_that_ask_for_something_else_are_passed_over() {
    let good = inline(30);
    for line in [
        "a=crypto:1 AES_CM_128_HMAC_SHA1_80 inline:short".to_owned(),
        format!("a=crypto:1 AES_CM_128_HMAC_SHA1_80 inline:{good}|2^20|1:4"),
        format!("a=crypto:1 AES_CM_128_HMAC_SHA1_80 inline:{good};inline:{good}"),
        format!("a=crypto:1 AES_CM_128_HMAC_SHA1_80 inline:{good} UNENCRYPTED_SRTP"),
        format!("a=crypto:1 AES_CM_128_HMAC_SHA1_80 inline:{good} UNAUTHENTICATED_SRTP"),
        format!("a=crypto:1 AES_CM_128_HMAC_SHA1_80 inline:{good} KDR=1"),
        format!("a=crypto:x AES_CM_128_HMAC_SHA1_80 inline:{good}"),
        format!("a=crypto:1234567890 AES_CM_128_HMAC_SHA1_80 inline:{good}"),
        format!("a=crypto:1 AES_CM_128_HMAC_SHA1_80 {good}"),
        "a=crypto:1".to_owned(),
    ] {
        let refused = answer(&local(Srtp::Offered, KeysInSdp::Written), &offer_of(&format!("m=audio 5000 RTP/SAVP 8\r\n{line}")));
        assert_eq!(refused.unwrap_err().status, 488, "{line}");
        let clear = answer(&local(Srtp::Offered, KeysInSdp::Written), &offer_of(&format!("m=audio 5000 RTP/AVP 8\r\n{line}")));
        assert_eq!(clear.unwrap().1.security, Security::Plain, "{line}");
    }
    let window = format!("m=audio 5000 RTP/SAVP 8\r\na=crypto:1 AES_CM_128_HMAC_SHA1_80 inline:{good} WSH=1024");
    assert!(answer(&local(Srtp::Offered, KeysInSdp::Written), &offer_of(&window)).is_ok());
}

#[test]
fn s80_the_policy_decides_and_a_refusal_says_why() {
    let key = inline(30);
    let secure = format!("m=audio 5000 RTP/SAVP 8\r\na=crypto:1 AES_CM_128_HMAC_SHA1_80 inline:{key}");
    let both = format!("m=audio 5000 RTP/AVP 8\r\na=crypto:1 AES_CM_128_HMAC_SHA1_80 inline:{key}");
    let clear = "m=audio 5000 RTP/AVP 8";
    use KeysInSdp::{Withheld, Written};
    let table: [(&str, Srtp, KeysInSdp, Result<bool, &str>); 13] = [
        (&secure, Srtp::Off, Written, Err("SRTP is off")),
        (&secure, Srtp::Offered, Written, Ok(true)),
        (&secure, Srtp::Required, Written, Ok(true)),
        (&secure, Srtp::Offered, Withheld, Err("call over TLS")),
        (&secure, Srtp::Required, Withheld, Err("call over TLS")),
        (&both, Srtp::Off, Written, Ok(false)),
        (&both, Srtp::Offered, Written, Ok(true)),
        (&both, Srtp::Offered, Withheld, Ok(false)),
        (&both, Srtp::Required, Withheld, Err("call over TLS")),
        (clear, Srtp::Off, Written, Ok(false)),
        (clear, Srtp::Offered, Written, Ok(false)),
        (clear, Srtp::Required, Written, Err("SRTP is required: offer RTP/SAVP")),
        (clear, Srtp::Required, Withheld, Err("SRTP is required: offer RTP/SAVP")),
    ];
    for (line, srtp, keys, expected) in table {
        let said = answer(&local(srtp, keys), &offer_of(line));
        match (said, expected) {
            (Ok((_, stream)), Ok(ciphered)) => assert_eq!(stream.security.suite().is_some(), ciphered, "{line} {srtp:?}"),
            (Err(refused), Err(word)) => {
                assert_eq!(refused.status, 488);
                assert!(refused.warning.contains(word), "{}", refused.warning);
            }
            (said, _) => panic!("{line} {srtp:?} {keys:?}: {said:?}"),
        }
    }
}

#[test]
fn s80_a_phone_that_offers_both_lines_gets_the_ciphered_one() {
    let key = inline(30);
    let offer = offer_of(&format!("m=audio 5000 RTP/SAVP 8\r\na=crypto:1 AES_CM_128_HMAC_SHA1_80 inline:{key}\r\nm=audio 5002 RTP/AVP 8"));
    let (reply, stream) = answer(&local(Srtp::Offered, KeysInSdp::Written), &offer).unwrap();
    assert!(stream.security.suite().is_some() && std::str::from_utf8(&reply).unwrap().contains("m=audio 0 RTP/AVP 8"));
    let (_, stream) = answer(&local(Srtp::Offered, KeysInSdp::Withheld), &offer).unwrap();
    assert_eq!((stream.security, stream.remote.unwrap().port()), (Security::Plain, 5_002));
}

#[test]
fn s80_each_offer_has_fresh_keys_and_a_repeated_one_is_answered_alike() {
    let first = local(Srtp::Required, KeysInSdp::Written);
    let second = Local { version: 2, ..first.clone() };
    assert!(lines(&offer(&first)).iter().zip(lines(&offer(&second))).all(|(one, other)| *one != other));
    let keys: std::collections::BTreeSet<String> = lines(&offer(&first)).iter().map(|line| line[30..].to_owned()).collect();
    assert_eq!(keys.len(), Suite::ALL.len());
    let again = |version| lines(&answer(&Local { version, ..peer(Srtp::Offered) }, &offer(&first)).unwrap().0);
    assert_eq!(again(1), again(2));
    assert_ne!(again(1), lines(&answer(&peer(Srtp::Offered), &offer(&second)).unwrap().0));
}

#[test]
fn s80_a_later_offer_keeps_the_ciphered_profile_that_was_agreed_on() {
    for (first, wish, keys, then) in [
        (Srtp::Required, Srtp::Offered, KeysInSdp::Written, "RTP/SAVP"),
        (Srtp::Required, Srtp::Off, KeysInSdp::Written, "RTP/AVP"),
        (Srtp::Required, Srtp::Offered, KeysInSdp::Withheld, "RTP/AVP"),
        (Srtp::Offered, Srtp::Offered, KeysInSdp::Written, "RTP/AVP"),
    ] {
        let before = local(first, KeysInSdp::Written);
        let said = offer(&before);
        let stream = accept(&before, &answer(&peer(Srtp::Offered), &said).unwrap().0).unwrap();
        assert!(stream.security.suite().is_some());
        let again = offer_again(&Local { version: 2, before: Some(stream), ..local(wish, keys) }, &said);
        let text = std::str::from_utf8(&again).unwrap();
        assert!(text.contains(&format!("m=audio 4000 {then} ")), "{first:?} {wish:?} {keys:?}: {text}");
        assert_eq!(lines(&again).is_empty(), wish == Srtp::Off || keys == KeysInSdp::Withheld);
    }
}

#[test]
fn s80_the_second_offer_has_another_profile_than_the_refused_one_and_tells_keys_only_where_they_may_be_told() {
    use crate::control::words::srtp::Far;
    let profile = |local: &Local| {
        let text = String::from_utf8(offer(local).to_vec()).unwrap();
        assert!(local.protection.keys == KeysInSdp::Written || !text.contains("a=crypto:"), "{text}");
        text.lines().find_map(|line| line.strip_prefix("m=audio 4000 ")?.split(' ').next().map(str::to_owned)).unwrap()
    };
    let mut seen = Vec::new();
    for far in [Far::Telephone, Far::Browser] {
        for srtp in [Srtp::Off, Srtp::Offered, Srtp::Required] {
            for keys in [KeysInSdp::Withheld, KeysInSdp::Written] {
                let mut first = local(srtp, keys);
                (first.protection.far, first.protection.fingerprint) = (far, Some(Fingerprint([7; 32])));
                let second = first.protection.otherwise().map(|protection| profile(&Local { protection, ..first.clone() }));
                let first = profile(&first);
                assert_ne!(Some(&first), second.as_ref());
                assert!(srtp != Srtp::Required || second.as_ref().is_none_or(|it| it != "RTP/AVP"), "never in clear where it is required");
                seen.extend(second.map(|second| format!("{first} {second}")));
            }
        }
    }
    let expected = [
        "RTP/AVP RTP/SAVP",
        "RTP/SAVP UDP/TLS/RTP/SAVP",
        "UDP/TLS/RTP/SAVPF RTP/AVP",
        "UDP/TLS/RTP/SAVPF RTP/AVP",
        "UDP/TLS/RTP/SAVPF RTP/SAVP",
    ];
    assert_eq!(seen, expected);
}

#[test]
fn s80_an_answer_must_be_one_of_ours() {
    let here = local(Srtp::Required, KeysInSdp::Written);
    let key = inline(30);
    for (line, word) in [
        ("m=audio 5000 RTP/SAVP 8".to_owned(), "has no a=crypto"),
        ("m=audio 5000 RTP/AVP 8".to_owned(), "has no a=crypto"),
        (format!("m=audio 5000 RTP/SAVP 8\r\na=crypto:9 AES_CM_128_HMAC_SHA1_80 inline:{key}"), "none of our offer"),
        (format!("m=audio 5000 RTP/SAVP 8\r\na=crypto:1 AES_CM_128_HMAC_SHA1_80 inline:{key}"), "none of our offer"),
    ] {
        let refused = accept(&here, &offer_of(&line)).unwrap_err();
        assert!(refused.warning.contains(word), "{line}: {}", refused.warning);
    }
    let clear = accept(&local(Srtp::Offered, KeysInSdp::Written), &offer_of("m=audio 5000 RTP/AVP 8")).unwrap();
    assert_eq!(clear.security, Security::Plain);
    let unasked = format!("m=audio 5000 RTP/AVP 8\r\na=crypto:3 AES_CM_128_HMAC_SHA1_80 inline:{key}");
    assert_eq!(accept(&local(Srtp::Offered, KeysInSdp::Withheld), &offer_of(&unasked)).unwrap().security, Security::Plain);
}

fn by_handshake(byte: u8, srtp: Srtp) -> Local {
    let mut local = local(srtp, KeysInSdp::Withheld);
    local.protection.fingerprint = Some(Fingerprint([byte; 32]));
    local
}

#[test]
fn s80_where_keys_may_not_be_told_a_handshake_is_offered_and_taken() {
    let (here, there) = (by_handshake(1, Srtp::Required), by_handshake(2, Srtp::Offered));
    let offer = offer(&here);
    let text = std::str::from_utf8(&offer).unwrap();
    assert!(text.contains(" UDP/TLS/RTP/SAVP ") && text.contains("a=setup:actpass\r\n") && !text.contains("a=crypto"), "{text}");
    let (reply, stream) = answer(&there, &offer).unwrap();
    assert_eq!(stream.security, Security::Handshake(Handshake { role: Setup::Passive, theirs: Fingerprint([1; 32]) }));
    assert!(std::str::from_utf8(&reply).unwrap().contains("a=setup:passive\r\n"));
    let security = accept(&here, &reply).unwrap().security;
    assert_eq!(security, Security::Handshake(Handshake { role: Setup::Active, theirs: Fingerprint([2; 32]) }));
    assert_eq!(accept(&here, &offer_of("m=audio 5000 UDP/TLS/RTP/SAVP 8")).unwrap_err().status, 488);
}

#[test]
fn s80_offers_of_handshakes_are_read_in_all_their_shapes() {
    let sum = Fingerprint([9; 32]);
    for (line, role) in [
        (format!("a=fingerprint:sha-256 {sum}\r\na=setup:active\r\nm=audio 5000 UDP/TLS/RTP/SAVPF 8"), Some(Setup::Passive)),
        (format!("m=audio 5000 UDP/TLS/RTP/SAVP 8\r\na=fingerprint:SHA-256 {sum}\r\na=setup:passive"), Some(Setup::Active)),
        (format!("m=audio 5000 RTP/SAVPF 8\r\na=fingerprint:sha-256 {sum}\r\na=setup:actpass"), Some(Setup::Passive)),
        (format!("m=audio 5000 UDP/TLS/RTP/SAVP 8\r\na=fingerprint:sha-1 AB:CD\r\na=fingerprint:sha-256 {sum}"), Some(Setup::Passive)),
        (format!("m=audio 5000 UDP/TLS/RTP/SAVP 8\r\na=fingerprint:sha-256 {sum}\r\na=setup:holdconn"), None),
        ("m=audio 5000 UDP/TLS/RTP/SAVP 8\r\na=fingerprint:sha-1 AB:CD".to_owned(), None),
        ("m=audio 5000 UDP/TLS/RTP/SAVP 8".to_owned(), None),
    ] {
        let said = answer(&by_handshake(1, Srtp::Offered), &offer_of(&line)).map(|(_, stream)| stream.security);
        match (said, role) {
            (Ok(Security::Handshake(handshake)), Some(role)) => assert_eq!(handshake, Handshake { role, theirs: sum }, "{line}"),
            (Err(refused), None) => assert_eq!(refused.status, 488, "{line}"),
            (said, _) => panic!("{line}: {said:?}"),
        }
        assert_eq!(answer(&by_handshake(1, Srtp::Off), &offer_of(&line)).unwrap_err().status, 488);
        assert_eq!(answer(&local(Srtp::Offered, KeysInSdp::Written), &offer_of(&line)).unwrap_err().status, 488, "without a certificate");
    }
}
