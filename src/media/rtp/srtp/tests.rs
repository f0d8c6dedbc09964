//! SRTP beside the contexts of another implementation, and against those who change, repeat and invent packets.

use rtc_srtp::context::Context;
use rtc_srtp::protection_profile::ProtectionProfile;

use super::*;
use crate::control::words::srtp::KeyChance;
use crate::media::rtp::Header;

const SSRC: u32 = 0xDEAD_BEEF;

fn key(suite: Suite) -> MasterKey {
    KeyChance([7; 32]).key(suite, b"test")
}

fn packet(sequence: u16, ssrc: u32) -> Vec<u8> {
    let header = Header { marker: false, payload_type: 8, sequence, timestamp: u32::from(sequence) * 160, ssrc };
    let mut packet = header.print().to_vec();
    packet.extend((0..160u8).map(|at| at ^ sequence as u8));
    packet
}

fn sealed(sealer: &mut Sealer, clear: &[u8]) -> Vec<u8> {
    let mut buffer = [clear, &[0; LONGER_RTCP]].concat();
    let length = sealer.seal(&mut buffer, clear.len());
    buffer.truncate(length);
    buffer
}

fn pair(suite: Suite) -> (Sealer, Opener) {
    (Sealer::new(suite, &key(suite)), Opener::new(suite, &key(suite)))
}

fn opened(opener: &mut Opener, packet: &[u8]) -> Result<Vec<u8>, Refused> {
    let mut packet = packet.to_vec();
    opener.open(&mut packet).map(|length| packet[..length].to_vec())
}

/// The crate's own contexts: a second implementation to compare with.
fn theirs(suite: Suite) -> Context {
    let profile = match suite {
        Suite::Aes128Sha80 => ProtectionProfile::Aes128CmHmacSha1_80,
        Suite::Aes128Sha32 => ProtectionProfile::Aes128CmHmacSha1_32,
        Suite::Aes256Sha80 => ProtectionProfile::Aes256CmHmacSha1_80,
        Suite::Aes128Gcm => ProtectionProfile::AeadAes128Gcm,
        Suite::Aes256Gcm => ProtectionProfile::AeadAes256Gcm,
    };
    let master = key(suite);
    let (key, salt) = master.as_bytes().split_at(suite.key_bytes());
    Context::new(key, salt, profile, None, None, &RingCrypto).unwrap()
}

#[test]
fn s80_each_suite_ciphers_as_another_implementation_does_in_both_directions() {
    for suite in Suite::ALL {
        let (mut sealer, mut opener) = pair(suite);
        let mut other = theirs(suite);
        let mut reader = theirs(suite);
        for sequence in [65_533u16, 65_534, 65_535, 0, 1] {
            let clear = packet(sequence, SSRC);
            let ours = sealed(&mut sealer, &clear);
            assert_ne!(ours[12..172], clear[12..], "{suite:?}");
            assert_eq!(ours, other.encrypt_rtp(&clear).unwrap().to_vec(), "{suite:?} {sequence}");
            assert_eq!(reader.decrypt_rtp(&ours).unwrap().to_vec(), clear);
            assert_eq!(opened(&mut opener, &ours), Ok(clear), "{suite:?} {sequence}");
        }
    }
}

#[test]
fn s80_reports_are_ciphered_as_another_implementation_does() {
    let report = [0x80, 201, 0, 1, 0xDE, 0xAD, 0xBE, 0xEF, 1, 2, 3, 4];
    for suite in Suite::ALL {
        let (mut sealer, mut opener) = pair(suite);
        for _ in 0..3 {
            let mut buffer = [&report[..], &[0; LONGER_RTCP]].concat();
            let length = sealer.seal_rtcp(&mut buffer, report.len());
            assert_eq!(theirs(suite).decrypt_rtcp(&buffer[..length]).unwrap().to_vec(), report, "{suite:?}");
            let again = buffer[..length].to_vec();
            assert_eq!(opener.open_rtcp(&mut buffer[..length]), Ok(report.len()), "{suite:?}");
            assert_eq!(buffer[..report.len()], report);
            assert_eq!(opener.open_rtcp(&mut again.clone()), Err(Refused::Replay));
        }
        let mut other = theirs(suite);
        let (_, mut opener) = pair(suite);
        let mut theirs = other.encrypt_rtcp(&report).unwrap().to_vec();
        assert_eq!(opener.open_rtcp(&mut theirs), Ok(report.len()), "{suite:?}");
    }
}

#[test]
fn s80_a_report_that_says_it_is_not_ciphered_is_not_believed() {
    for suite in Suite::ALL {
        let (_, mut opener) = pair(suite);
        // A goodbye in the peer's name, with the mark of ciphering taken off: 14 bytes of rubbish stand for number and proof.
        let mut forged = [&[0x81, 203, 0, 1, 0xDE, 0xAD, 0xBE, 0xEF][..], &[0; 24]].concat();
        assert_eq!(opener.open_rtcp(&mut forged), Err(Refused::Forged), "{suite:?}");
        assert_eq!(opener.open_rtcp(&mut [0x81, 203, 0, 1]), Err(Refused::Short));
    }
}

#[test]
fn s80_what_was_changed_repeated_or_ciphered_with_another_key_is_refused() {
    for suite in Suite::ALL {
        let (mut sealer, mut opener) = pair(suite);
        let good = sealed(&mut sealer, &packet(5, SSRC));
        for at in [1, 4, 20, good.len() - 1] {
            let mut bad = good.clone();
            bad[at] ^= 1;
            assert_eq!(opened(&mut opener, &bad), Err(Refused::Forged), "{suite:?} byte {at}");
        }
        assert!(opened(&mut opener, &good).is_ok());
        assert_eq!(opened(&mut opener, &good), Err(Refused::Replay), "{suite:?}");
        let mut foreign = Sealer::new(suite, &KeyChance([8; 32]).key(suite, b"test"));
        assert_eq!(opened(&mut opener, &sealed(&mut foreign, &packet(6, SSRC))), Err(Refused::Forged));
        assert_eq!(opened(&mut opener, &packet(6, SSRC)[..14]), Err(Refused::Short));
    }
}

#[test]
fn s80_order_losses_and_late_packets_are_borne() {
    let (mut sealer, mut opener) = pair(Suite::Aes128Gcm);
    let packets: Vec<Vec<u8>> = (65_500..65_600u32).map(|n| sealed(&mut sealer, &packet(n as u16, SSRC))).collect();
    for at in [0, 3, 1, 2, 40, 39, 99, 60] {
        assert!(opened(&mut opener, &packets[at]).is_ok(), "{at}");
    }
    assert_eq!(opened(&mut opener, &packets[39]), Err(Refused::Replay));
}

#[test]
fn s80_another_source_of_the_same_peer_is_let_in_and_an_invented_one_costs_nothing() {
    let (mut sealer, mut opener) = pair(Suite::Aes128Sha80);
    assert!(opened(&mut opener, &sealed(&mut sealer, &packet(9, SSRC))).is_ok());
    let mut second = Sealer::new(Suite::Aes128Sha80, &key(Suite::Aes128Sha80));
    assert!(opened(&mut opener, &sealed(&mut second, &packet(700, 77))).is_ok());
    for ssrc in 1_000..2_000 {
        assert_eq!(opened(&mut opener, &[packet(1, ssrc), vec![0; 10]].concat()), Err(Refused::Forged));
    }
    assert_eq!(opener.sources.len(), 2);
    let mut third = Sealer::new(Suite::Aes128Sha80, &key(Suite::Aes128Sha80));
    assert!(opened(&mut opener, &sealed(&mut third, &packet(3, 88))).is_ok());
}

#[test]
fn s80_a_stream_that_has_wrapped_before_we_joined_it_is_found() {
    for suite in [Suite::Aes128Sha32, Suite::Aes256Gcm] {
        let (mut sealer, mut opener) = pair(suite);
        for n in (0..3 * 65_536u32).step_by(20_000) {
            sealed(&mut sealer, &packet(n as u16, SSRC));
        }
        assert!(opened(&mut opener, &sealed(&mut sealer, &packet(10, SSRC))).is_ok(), "{suite:?}");
    }
}

#[test]
fn a_number_that_was_sent_is_known() {
    let (mut sealer, _) = pair(Suite::Aes128Gcm);
    assert!(!sealer.has_sent(5));
    sealed(&mut sealer, &packet(5, SSRC));
    sealed(&mut sealer, &packet(7, SSRC));
    assert_eq!([5, 6, 7, 8].map(|n| sealer.has_sent(n)), [true, false, true, false]);
}
