//! Strikes out what nobody may read, byte for byte, so that lengths and places stay right.

use bytes::Bytes;

/// Stands for what was there.
const STRUCK: u8 = b'x';
/// Headers whose value is a proof or a password.
const SECRET_HEADERS: [&[u8]; 2] = [b"authorization", b"proxy-authorization"];
/// Lines of a description that hold keys of the sound, and passwords of those who ask their way to it.
const SECRET_LINES: [&[u8]; 4] = [b"a=crypto:", b"a=key-mgmt:", b"k=", b"a=ice-pwd:"];

/// A copy without credentials, without keys of the sound, and without the words or digits of a body that is no description.
pub(super) fn out(bytes: &Bytes) -> Bytes {
    let mut copy = bytes.to_vec();
    let (mut at, mut is_secret, mut describes) = (0, false, false);
    while at < copy.len() {
        let end = memchr::memchr(b'\n', &copy[at..]).map_or(copy.len(), |length| at + length + 1);
        let line = &copy[at..end];
        if line.iter().all(|byte| matches!(byte, b'\r' | b'\n')) {
            at = end;
            break;
        }
        let colon = memchr::memchr(b':', line).unwrap_or(line.len());
        if matches!(line[0], b' ' | b'\t') {
            // A folded line goes on as the one before.
            if is_secret {
                strike(&mut copy[at..end]);
            }
        } else {
            let name = line[..colon].trim_ascii().to_ascii_lowercase();
            is_secret = SECRET_HEADERS.contains(&&*name);
            describes |= matches!(&*name, b"content-type" | b"c") && contains(&line.to_ascii_lowercase(), b"application/sdp");
            if is_secret {
                strike(&mut copy[(at + colon + 1).min(end)..end]);
            }
        }
        at = end;
    }
    if describes {
        strike_keys(&mut copy[at..]);
    } else {
        strike(&mut copy[at..]);
    }
    Bytes::from(copy)
}

fn strike_keys(body: &mut [u8]) {
    for line in body.split_mut(|byte| *byte == b'\n') {
        let secret = SECRET_LINES.iter().find(|start| line.to_ascii_lowercase().starts_with(start));
        if let Some(start) = secret {
            strike(&mut line[start.len()..]);
        }
    }
}

fn strike(part: &mut [u8]) {
    part.iter_mut().filter(|byte| !matches!(byte, b'\r' | b'\n' | b' ' | b'\t')).for_each(|byte| *byte = STRUCK);
}

fn contains(text: &[u8], part: &[u8]) -> bool {
    memchr::memmem::find(text, part).is_some()
}
